package client

import (
	"context"
	"net/http"
	"net/url"
)

// Chain hands the results of a squid's finished runs to another crawler as tasks.
type Chain struct {
	ID           string `json:"id"`
	TargetModule struct {
		ID         string `json:"id"`
		PublicName string `json:"public_name"`
		Name       string `json:"name"`
	} `json:"target_module"`
	TargetCluster *struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"target_cluster"` // nil until the first hand-over
	FieldMap           map[string]string `json:"field_map"` // field of the results to param of the target
	IsActive           bool              `json:"is_active"`
	Autostart          bool              `json:"autostart"`
	ClusterName        *string           `json:"cluster_name"`
	ClusterConcurrency int               `json:"cluster_concurrency"`
	CreatedAt          Time              `json:"created_at"`
	LastHandover       *Handover         `json:"last_handover"`
}

// Handover is what became of the results of one run that a chain handed over.
type Handover struct {
	Run        string  `json:"run"`
	State      string  `json:"state"`
	Results    int64   `json:"results"`    // looked at
	Added      int64   `json:"added"`      // became tasks
	Duplicates int64   `json:"duplicates"` // were tasks already
	Lacking    int64   `json:"lacking"`    // had no value of a mapped field
	Invalid    int64   `json:"invalid"`    // had one that the target does not take
	StartedRun *string `json:"started_run"`
	Message    *string `json:"message"`
	CreatedAt  Time    `json:"created_at"`
}

func chainPath(squid string) string { return "/squids/" + url.PathEscape(squid) + "/chain" }

// Chain returns a squid's chain, nil when it has none.
func (c *Client) Chain(ctx context.Context, squid string) (*Chain, error) {
	var v *Chain
	err := c.do(ctx, http.MethodGet, chainPath(squid), nil, nil, &v)
	return v, err
}

// SetChain gives a squid its chain; with update the fields given of the one it has are changed.
func (c *Client) SetChain(ctx context.Context, squid string, update bool, fields map[string]any) (*Chain, error) {
	method := http.MethodPost
	if update {
		method = http.MethodPatch
	}
	var v Chain
	return &v, c.do(ctx, method, chainPath(squid), nil, fields, &v)
}

// DeleteChain takes a squid's chain away. What was handed over stays.
func (c *Client) DeleteChain(ctx context.Context, squid string) error {
	return c.do(ctx, http.MethodDelete, chainPath(squid), nil, nil, nil)
}

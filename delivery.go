package shoal

import "time"

// DeliveryConfig is where a squid's results go. Each channel is JSON exactly
// as the API took it, sealed at rest because it holds secrets; nil: not set.
type DeliveryConfig struct {
	Email       string
	Notify      bool
	NotifySince time.Time
	GoogleSheet []byte
	S3          []byte
	SFTP        []byte
	Webhook     []byte
	Slack       []byte
}

// Chain hands a finished run's results to another crawler as tasks.
type Chain struct {
	ID                 ChainID
	SquidID            SquidID
	TargetCrawler      CrawlerID
	TargetSquid        SquidID // empty until the first trigger
	FieldMap           map[string]string
	IsActive           bool
	Autostart          bool
	ClusterName        string
	ClusterConcurrency int
	CreatedAt          time.Time
}

package api_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestSpecRefusesDrift makes sure that the checks of the other tests can fail:
// a run that is not as §1 of the contract has it does not pass openapi.yaml.
func TestSpecRefusesDrift(t *testing.T) {
	schema := loadSpec(t).doc.Components.Schemas["Run"].Value
	var good map[string]any
	if err := json.Unmarshal([]byte(exampleRun), &good); err != nil {
		t.Fatal(err)
	}
	if err := schema.VisitJSON(good, openapi3.EnableJSONSchema2020()); err != nil {
		t.Fatalf("a good run: %v", err)
	}
	for name, change := range map[string]func(map[string]any){
		"a field is missing":         func(r map[string]any) { delete(r, "export_count") },
		"a field is unknown":         func(r map[string]any) { r["surprise"] = 1.0 },
		"the object is another":      func(r map[string]any) { r["object"] = "ran" },
		"the status is another":      func(r map[string]any) { r["status"] = "DONE" },
		"an id is too short":         func(r map[string]any) { r["id"] = "abc" },
		"a time has a zone":          func(r map[string]any) { r["created_at"] = "2025-02-04T10:26:50.847633Z" },
		"a count is null":            func(r map[string]any) { r["total_results"] = nil },
		"a count is a string":        func(r map[string]any) { r["total_results"] = "1" },
		"a boolean is a number":      func(r map[string]any) { r["shared"] = 0.0 },
		"the duration is a text":     func(r map[string]any) { r["duration"] = "0:00:01" },
		"a nullable time is a false": func(r map[string]any) { r["started_at"] = false },
	} {
		bad := maps.Clone(good)
		change(bad)
		if schema.VisitJSON(bad, openapi3.EnableJSONSchema2020()) == nil {
			t.Errorf("%s: passes", name)
		}
	}
}

const exampleRun = `{"id":"300e9c5c127d421c90f431478d9a2cfb","object":"run","created_at":"2025-02-04T10:26:50.847633",
"started_at":null,"ended_at":null,"duration":0.5,"credit_used":1,"origin":"user","status":"running","total_results":3,
"total_unique_results":2,"export_done":false,"export_time":null,"done_reason":null,"done_reason_desc":null,
"squid":"300e9c5c127d421c90f431478d9a2cfc","crawler_id":"300e9c5c127d421c90f431478d9a2cfd","next_launch_at":null,
"shared":false,"is_done":false,"force_launch":false,"export_count":0,"email_done":false,"email_time":null,"email_verification":null,"results_removed_at":null}`

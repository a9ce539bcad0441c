package api

import (
	"net/http"

	"shoal"
)

// route is one method of one path.
type route struct {
	method string
	path   string
	scope  shoal.Scope // what a key must be allowed
	class  class       // which rate limit counts it
	handle func(*call) error

	public    bool // needs no key
	shared    bool // needs none for a run whose results are public by link
	largeBody bool // takes many tasks
	ownBody   bool // reads its own body, which is not JSON
	staff     bool // only for members of staff, who see all workspaces
}

// routes returns every route. openapi.yaml describes each of them; a test
// holds the two against each other.
func (a *API) routes() []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	const read, run, admin = shoal.ScopeRead, shoal.ScopeRun, shoal.ScopeAdmin
	return []route{
		{method: get, path: "/healthz", handle: a.healthz, public: true},
		{method: get, path: "/readyz", handle: a.readyz, public: true},
		{method: get, path: "/v1/docs", handle: a.docsPage, public: true},
		{method: get, path: "/v1/openapi.yaml", handle: a.openapiYAML, public: true},
		{method: get, path: "/v1/openapi.json", handle: a.openapiJSON, public: true},

		{method: get, path: "/v1/me", scope: read, handle: a.me},
		{method: get, path: "/v1/user/balance", scope: read, handle: a.balance},
		{method: get, path: "/v1/invoices", scope: read, handle: a.listInvoices},
		{method: get, path: "/v1/credits/modules", scope: read, handle: a.moduleCredits},
		{method: get, path: "/v1/credits/squids", scope: read, handle: a.squidsCredits},
		{method: get, path: "/v1/credits/entries", scope: read, handle: a.creditEntries},
		{method: get, path: "/v1/keys", scope: admin, handle: a.listKeys},
		{method: post, path: "/v1/keys", scope: admin, handle: a.createKey},
		{method: get, path: "/v1/keys/{id}", scope: admin, handle: a.getKey},
		{method: del, path: "/v1/keys/{id}", scope: admin, handle: a.revokeKey},

		{method: get, path: "/v1/admin/users", scope: admin, staff: true, handle: a.listUsers},
		{method: post, path: "/v1/admin/users", scope: admin, staff: true, handle: a.createUser},
		{method: get, path: "/v1/admin/users/{id}", scope: admin, staff: true, handle: a.getUser},
		{method: post, path: "/v1/admin/users/{id}", scope: admin, staff: true, handle: a.updateUser},
		{method: get, path: "/v1/admin/keys", scope: admin, staff: true, handle: a.listKeys},
		{method: post, path: "/v1/admin/keys", scope: admin, staff: true, handle: a.createKey},
		{method: get, path: "/v1/admin/keys/{id}", scope: admin, staff: true, handle: a.getKey},
		{method: del, path: "/v1/admin/keys/{id}", scope: admin, staff: true, handle: a.revokeKey},
		{method: get, path: "/v1/admin/plans", scope: admin, staff: true, handle: a.listPlans},
		{method: post, path: "/v1/admin/plans", scope: admin, staff: true, handle: a.createPlan},
		{method: get, path: "/v1/admin/plans/{id}", scope: admin, staff: true, handle: a.getPlan},
		{method: post, path: "/v1/admin/plans/{id}", scope: admin, staff: true, handle: a.updatePlan},
		{method: del, path: "/v1/admin/plans/{id}", scope: admin, staff: true, handle: a.deletePlan},
		{method: get, path: "/v1/admin/workspaces/{id}/balance", scope: admin, staff: true, handle: a.workspaceBalance},
		{method: post, path: "/v1/admin/workspaces/{id}/plan", scope: admin, staff: true, handle: a.assignPlan},
		{method: get, path: "/v1/admin/workspaces/{id}/credits", scope: admin, staff: true, handle: a.workspaceEntries},
		{method: post, path: "/v1/admin/workspaces/{id}/credits", scope: admin, staff: true, handle: a.grantCredits},
		{method: get, path: "/v1/admin/invoices", scope: admin, staff: true, handle: a.listInvoices},
		{method: post, path: "/v1/admin/invoices", scope: admin, staff: true, handle: a.createInvoice},
		{method: get, path: "/v1/admin/invoices/{id}", scope: admin, staff: true, handle: a.getInvoice},
		{method: post, path: "/v1/admin/invoices/{id}/pay", scope: admin, staff: true, handle: a.payInvoice},
		{method: post, path: "/v1/admin/invoices/{id}/cancel", scope: admin, staff: true, handle: a.cancelInvoice},
		{method: get, path: "/v1/admin/workspaces", scope: admin, staff: true, handle: a.listWorkspaces},
		{method: get, path: "/v1/admin/workspaces/{id}", scope: admin, staff: true, handle: a.getWorkspace},
		{method: post, path: "/v1/admin/workspaces/{id}", scope: admin, staff: true, handle: a.renameWorkspace},
		{method: get, path: "/v1/admin/retention", scope: admin, staff: true, handle: a.getRetention},
		{method: post, path: "/v1/admin/retention", scope: admin, staff: true, handle: a.setRetention},
		{method: get, path: "/v1/admin/crawlers", scope: admin, staff: true, handle: a.listFlags},
		{method: post, path: "/v1/admin/crawlers/{id}", scope: admin, staff: true, handle: a.flagCrawler},

		{method: get, path: "/v1/crawlers", scope: read, handle: a.listCrawlers},
		{method: get, path: "/v1/crawlers/{id}", scope: read, handle: a.getCrawler},
		{method: post, path: "/v1/crawlers", scope: run, handle: a.createCrawler, ownBody: true},
		{method: put, path: "/v1/crawlers/{id}", scope: run, handle: a.updateCrawler, ownBody: true},
		{method: del, path: "/v1/crawlers/{id}", scope: run, handle: a.deleteCrawler},
		{method: post, path: "/v1/crawlers/{id}/try", scope: run, handle: a.tryCrawler},
		{method: get, path: "/v1/crawlers/{id}/params", scope: read, handle: a.crawlerParams},
		{method: get, path: "/v1/crawlers/{id}/attributes", handle: a.crawlerAttributes, public: true},

		{method: post, path: "/v1/squids", scope: run, class: classSquids, handle: a.createSquid},
		{method: get, path: "/v1/squids", scope: read, class: classSquids, handle: a.listSquids},
		{method: get, path: "/v1/squids/{id}", scope: read, class: classSquids, handle: a.getSquid},
		{method: post, path: "/v1/squids/{id}", scope: run, class: classSquids, handle: a.updateSquid},
		{method: del, path: "/v1/squids/{id}", scope: run, class: classSquids, handle: a.deleteSquid},
		{method: get, path: "/v1/squids/{id}/credits", scope: read, class: classSquids, handle: a.squidCredits},
		{method: post, path: "/v1/squids/{id}/empty", scope: run, class: classSquids, handle: a.emptySquid},
		{method: get, path: "/v1/squids/{id}/cursors", scope: read, class: classSquids, handle: a.listCursors},
		{method: post, path: "/v1/squids/{id}/cursors", scope: run, class: classSquids, handle: a.setCursor},
		{method: del, path: "/v1/squids/{id}/cursors/{name}", scope: run, class: classSquids, handle: a.deleteCursor},
		{method: get, path: "/v1/squids/{id}/launches", scope: read, class: classSquids, handle: a.listLaunches},
		{method: get, path: "/v1/schedules", scope: read, class: classSquids, handle: a.listSchedules},
		{method: post, path: "/v1/squid/estimate", scope: read, class: classSquids, handle: a.estimate},
		{method: post, path: "/v1/squids/{id}/chain", scope: run, class: classSquids, handle: a.createChain},
		{method: patch, path: "/v1/squids/{id}/chain", scope: run, class: classSquids, handle: a.updateChain},
		{method: get, path: "/v1/squids/{id}/chain", scope: read, class: classSquids, handle: a.getChain},
		{method: del, path: "/v1/squids/{id}/chain", scope: run, class: classSquids, handle: a.deleteChain},

		{method: post, path: "/v1/tasks", scope: run, class: classTasks, handle: a.addTasks, largeBody: true},
		{method: get, path: "/v1/tasks", scope: read, class: classTasks, handle: a.listTasks},
		{method: get, path: "/v1/tasks/{id}", scope: read, class: classTasks, handle: a.getTask},
		{method: del, path: "/v1/tasks/{id}", scope: run, class: classTasks, handle: a.deleteTask},
		{method: post, path: "/v1/tasks/upload", scope: run, class: classTasks, handle: a.uploadTasks, ownBody: true},
		{method: get, path: "/v1/tasks/upload/{id}", scope: read, class: classTasks, handle: a.getUpload},

		{method: post, path: "/v1/runs", scope: run, class: classRuns, handle: a.startRun},
		{method: get, path: "/v1/runs", scope: read, class: classRuns, handle: a.listRuns},
		{method: get, path: "/v1/runs/{id}", scope: read, class: classRuns, handle: a.getRun, shared: true},
		{method: del, path: "/v1/runs/{id}", scope: run, class: classRuns, handle: a.deleteRun},
		{method: post, path: "/v1/runs/{id}/abort", scope: run, class: classRuns, handle: a.abortRun},
		{method: post, path: "/v1/runs/{id}/pause", scope: run, class: classRuns, handle: a.pauseRun},
		{method: post, path: "/v1/runs/{id}/resume", scope: run, class: classRuns, handle: a.resumeRun},
		{method: post, path: "/v1/runs/{id}/export", scope: run, class: classRuns, handle: a.exportRun},
		{method: post, path: "/v1/runs/{id}/share", scope: run, class: classRuns, handle: a.shareRun},
		{method: get, path: "/v1/runs/{id}/stats", scope: read, class: classRuns, handle: a.runStats},
		{method: get, path: "/v1/runs/{id}/tasks", scope: read, class: classRunTasks, handle: a.tasksOfRun},
		{method: get, path: "/v1/runs/{id}/log", scope: read, class: classRuns, handle: a.runLog},
		{method: get, path: "/v1/runs/{id}/timeline", scope: read, class: classRuns, handle: a.runTimeline},
		{method: get, path: "/v1/runs/{id}/events", scope: read, class: classRuns, handle: a.runEvents},
		{method: get, path: "/v1/runs/{id}/credits", scope: read, class: classRuns, handle: a.runCredits},
		{method: get, path: "/v1/runs/{id}/download", scope: read, class: classRuns, handle: a.runDownload, shared: true},
		{method: post, path: "/v1/runs/{id}/exports", scope: run, class: classRuns, handle: a.createExport},
		{method: get, path: "/v1/runs/{id}/exports", scope: read, class: classRuns, handle: a.listExports},
		{method: get, path: "/v1/runs/{id}/exports/{export}", scope: read, class: classRuns, handle: a.getExport},
		{method: del, path: "/v1/runs/{id}/exports/{export}", scope: run, class: classRuns, handle: a.deleteExport},
		{method: get, path: "/v1/runs/{id}/changes", scope: read, class: classRuns, handle: a.runChanges},
		{method: get, path: "/v1/runtasks", scope: read, class: classRunTasks, handle: a.listRunTasks},
		{method: get, path: "/v1/download/{token}", handle: a.download, public: true},

		{method: get, path: "/v1/results", scope: read, class: classResults, handle: a.listResults, shared: true},

		{method: get, path: "/v1/account_types", scope: read, handle: a.listAccountTypes},
		{method: get, path: "/v1/accounts", scope: read, handle: a.listAccounts},
		{method: post, path: "/v1/accounts", scope: run, handle: a.updateAccount},
		{method: get, path: "/v1/accounts/{id}", scope: read, handle: a.getAccount},
		{method: del, path: "/v1/accounts/{id}", scope: run, handle: a.deleteAccount},
		{method: post, path: "/v1/accounts/cookies", scope: run, handle: a.syncCookies},
		{method: post, path: "/v1/accounts/login", scope: run, handle: a.syncLogin},
		{method: post, path: "/v1/accounts/{id}/check", scope: run, handle: a.checkAccount},
		{method: get, path: "/v1/synchronize/{id}", scope: read, handle: a.getSync},

		{method: get, path: "/v1/delivery", scope: read, handle: a.getDelivery},
		{method: post, path: "/v1/delivery/pause", scope: run, handle: a.pauseDelivery},
		{method: post, path: "/v1/delivery/resume", scope: run, handle: a.resumeDelivery},
		{method: get, path: "/v1/deliveries", scope: read, handle: a.listDeliveries},
		{method: get, path: "/v1/deliveries/{id}", scope: read, handle: a.getDeliveryEntry},
		{method: post, path: "/v1/deliveries/{id}/redeliver", scope: run, handle: a.redeliver},
		{method: post, path: "/v1/delivery", scope: run, handle: a.setDelivery},
		{method: post, path: "/v1/delivery/test-email", scope: run, handle: a.testEmail},
		{method: post, path: "/v1/delivery/test-googlesheet", scope: run, handle: a.testDelivery(channelSheet)},
		{method: post, path: "/v1/delivery/test-s3", scope: run, handle: a.testDelivery(channelS3)},
		{method: post, path: "/v1/delivery/test-webhook", scope: run, handle: a.testDelivery(channelWebhook)},
		{method: post, path: "/v1/delivery/test-sftp", scope: run, handle: a.testDelivery(channelSFTP)},
		{method: post, path: "/v1/delivery/test-slack", scope: run, handle: a.testDelivery(channelSlack)},
		{method: post, path: "/v1/delivery/test-database", scope: run, handle: a.testDelivery(channelDatabase)},
	}
}

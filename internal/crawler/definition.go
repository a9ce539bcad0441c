package crawler

// The structs of this file are the language: one field per key, in the order
// in which messages list them. The comments are the language reference: each
// says, to the author of a definition, what the key means, its unit and its default.

// definition is a crawler: what it takes, where it begins, and how its pages become rows.
type definition struct {
	at
	// The crawler's short name in commands and addresses: lower-case letters, digits and single hyphens, at most 60 characters.
	Slug text `yaml:"slug"`
	// The name that people see. A slug without a hyphen needs the same name, in any case.
	Name text `yaml:"name"`
	// What the crawler returns, in a sentence or two.
	Description string `yaml:"description"`
	// A picture as a data URI (data:image/…); showing it fetches nothing.
	Icon text `yaml:"icon"`
	// Counts the versions of the definition, from 1, which is the default.
	Version int `yaml:"version"`
	// The site that the crawler is for; empty for one that works on any.
	Domain string `yaml:"domain"`
	// true marks the crawler as a premium one; default false.
	Premium bool `yaml:"premium"`
	// The credits that one result costs; default 1.
	CreditsPerRow *float64 `yaml:"credits_per_row"`
	// The most slots that one run may work with, 1 to 1000; default 20.
	MaxConcurrency scalar `yaml:"max_concurrency"`
	// The share of tasks that may fail before a run pauses, 0 to 1; default 0.1.
	ErrorBudget scalar `yaml:"error_budget"`
	// What a task and a squid can be given.
	Input []inputDef `yaml:"input"`
	// How requests are made: politeness, headers, cookies, limits.
	Fetch fetchDef `yaml:"fetch"`
	// The log-in on the site that the crawler works with, for pages that only members see; default none.
	Account *accountDef `yaml:"account"`
	// A task's first request, or a list of possible ones; the first whose when holds is made.
	Start many[startDef] `yaml:"start"`
	// The kinds of pages by name: what to follow on them and which rows they give.
	Pages ordered[pageDef] `yaml:"pages"`
	// The date field that the param fetch_since compares; older rows are left out.
	Since text `yaml:"since"`
	// true when the site lists newest rows first, so that the first row that is too old ends the task; default false.
	NewestFirst bool `yaml:"newest_first"`
	// What a response means for the run or its account, on every kind of page.
	Detect []detectDef `yaml:"detect"`
	// Recorded tests, which run offline.
	Tests []testDef `yaml:"tests"`
}

// inputDef is one value that a task or a squid can be given.
type inputDef struct {
	at
	// The input's name: task.NAME or params.NAME in expressions.
	Name text `yaml:"name"`
	// task: each task has its own value; squid: one value for the whole squid.
	Level text `yaml:"level"`
	// The value's type: string, int, float, boolean or array; default string.
	Type text `yaml:"type"`
	// true: nothing runs without it; default false.
	Required bool `yaml:"required"`
	// The value when none is given.
	Default scalar `yaml:"default"`
	// A value that shows what is meant.
	Example scalar `yaml:"example"`
	// What the input is for, in a sentence.
	Description string `yaml:"description"`
	// The label in forms; default the name.
	Display string `yaml:"display"`
	// The heading that forms put the input under.
	Group string `yaml:"group"`
	// A regular expression (RE2) that a text must match.
	Regex text `yaml:"regex"`
	// What kind of text it is, which is checked: url or regex.
	Form text `yaml:"form"`
	// The values that are allowed; default any.
	Allowed scalar `yaml:"allowed"`
	// The least number.
	Min *float64 `yaml:"min"`
	// The greatest number.
	Max *float64 `yaml:"max"`
	// true makes a squid's boolean a function: a paid add-on that fields and follow rules can ask for.
	Function bool `yaml:"function"`
	// The credits that the function adds to each row it fills; default 0.
	CreditsPerFunction *float64 `yaml:"credits_per_function"`
	// true: the function collects details from further pages, which clients show apart.
	IsDetails bool `yaml:"is_details"`
	// Orders the functions in forms, the smallest first.
	Priority int `yaml:"priority"`
}

// fetchDef is how requests are made.
type fetchDef struct {
	at
	// false leaves robots.txt aside and needs a why; default true.
	Robots *bool `yaml:"robots"`
	// With what right robots.txt is left aside.
	Why string `yaml:"why"`
	// The pause between two requests to one host, such as 500ms or 2s.
	Delay text `yaml:"delay"`
	// The most requests to one host at the same time.
	HostConcurrency int `yaml:"host_concurrency"`
	// Headers of every request, by name.
	Header ordered[text] `yaml:"header"`
	// Cookies that each task begins with, by name, as templates; they go to the site of its first request only.
	Cookies ordered[text] `yaml:"cookies"`
	// The largest answer, unpacked, such as 500KB or 10MB.
	MaxBytes text `yaml:"max_bytes"`
	// The longest that one request may take, such as 30s.
	Timeout text `yaml:"timeout"`
	// How often a failed request is tried again, 0 to 20.
	Retries *int `yaml:"retries"`
}

// accountDef is the kind of account that the crawler works with. Crawlers for one site share it by giving the same block.
type accountDef struct {
	at
	node *node // the block as it stands
	// The type's short name, by which accounts are linked: lower-case letters, digits and single hyphens, at most 60 characters.
	Slug text `yaml:"slug"`
	// The name that people see.
	Name text `yaml:"name"`
	// required: nothing runs without a linked account; optional: an account is used when one is linked. Default required.
	Requires text `yaml:"requires"`
	// The site's address, which relative addresses here are relative to.
	BaseURL text `yaml:"baseurl"`
	// The domain whose hosts get the account's cookies; default the registrable domain of baseurl, or its host alone where there is none.
	Domain text `yaml:"domain"`
	// A picture as a data URI (data:image/…).
	Icon text `yaml:"icon"`
	// The cookies that make a session.
	Cookies []accountCookieDef `yaml:"cookies"`
	// What an account may be used for in a day, by name. Requests, results and tasks count by themselves, other names are counted by the pages whose counts names them.
	Limits ordered[limitDef] `yaml:"limits"`
	// How much of one of the limits an account does at a stretch, before it rests for batch_hours.
	Batch *batchDef `yaml:"batch"`
	// How many hours an account rests after a batch.
	BatchHours *limitDef `yaml:"batch_hours"`
	// How many runs may use one account at the same time, 1 to 100; default 1.
	RunsPerAccount scalar `yaml:"runs_per_account"`
	// How long an account rests that the site told to slow down, such as 30m; default 15m.
	CoolDown text `yaml:"cool_down"`
	// The time zone whose days count for limits, such as Europe/Paris; default UTC.
	Timezone text `yaml:"timezone"`
	// The time of day at which limits begin anew, such as "04:00"; default "00:00".
	Reset text `yaml:"reset"`
	// A request that tells whether a session is logged in.
	Health *stepDef `yaml:"health"`
	// The requests of a log-in by user name and password, one after the other. It needs health, which tells whether it worked.
	Login []stepDef `yaml:"login"`
}

// accountCookieDef is a cookie of a session.
type accountCookieDef struct {
	at
	// The cookie's name.
	Name text `yaml:"name"`
	// true: no session without it; default false.
	Required bool `yaml:"required"`
}

// limitDef is a limit of an account. A person may set it for an account, up to max.
type limitDef struct {
	at
	// The most that a person may set.
	Max int64 `yaml:"max"`
	// What holds until a person sets something; default max.
	Default *int64 `yaml:"default"`
	// What is limited, in a sentence.
	Description string `yaml:"description"`
}

// batchDef is how much an account does at a stretch.
type batchDef struct {
	at
	// The name of what is counted: one of limits, or requests, results or tasks.
	Attribute text `yaml:"attribute"`
	// The most that a person may set.
	Max int64 `yaml:"max"`
	// What holds until a person sets something; default max.
	Default *int64 `yaml:"default"`
	// What is limited, in a sentence.
	Description string `yaml:"description"`
}

// stepDef is a request of a log-in, or the one that tries a session. A log-in's templates know username, password, otp and read, the values that its answers gave.
type stepDef struct {
	at
	// In login: a condition on the answer of the step before; the step is left out when it does not hold. Default always.
	When text `yaml:"when"`
	// The address, a template; it may be relative to baseurl.
	URL text `yaml:"url"`
	// GET, POST, PUT, PATCH, DELETE or HEAD; default GET, and POST with a body.
	Method text `yaml:"method"`
	// Headers by name, as templates. Referer and Origin are sent as a browser does.
	Header ordered[text] `yaml:"header"`
	// The body as one template. At most one of body, form, json and graphql.
	Body text `yaml:"body"`
	// The body as form fields by name, as templates. A step that sends otp ends the log-in as otp_needed when no code was given.
	Form ordered[text] `yaml:"form"`
	// The body as JSON; texts in it are templates.
	JSON tree `yaml:"json"`
	// The body as a GraphQL request.
	GraphQL *graphqlDef `yaml:"graphql"`
	// What the answer is: html (default), xml, json, csv or text.
	Format text `yaml:"format"`
	// Values to read of the answer, by name, each as the fields of rows are: read.NAME in what follows.
	Read ordered[fieldDef] `yaml:"read"`
	// In login: the form of the page whose hidden fields the next step sends along, a CSS selector; fields that the next step's form names win.
	Hidden text `yaml:"hidden"`
	// What the answer can say, such as wrong_credentials; the first whose condition holds counts, and ends a log-in.
	Expect []detectDef `yaml:"expect"`
	// In health: a condition that holds when the session is logged in. When it does not, and nothing of expect holds, cookies have expired.
	LoggedIn text `yaml:"logged_in"`
	// In health: the name of the value read that says who is logged in; it becomes the account's name when nobody gave one.
	Username text `yaml:"username"`
}

// startDef is a task's first request.
type startDef struct {
	at
	// A condition on task, params and functions; default always.
	When text `yaml:"when"`
	// The address, a template: {{ task.url }}.
	URL text `yaml:"url"`
	// The kind of page that the answer is; may be left out when there is one kind.
	Page text `yaml:"page"`
	// GET, POST, PUT, PATCH, DELETE or HEAD; default GET, and POST with a body.
	Method text `yaml:"method"`
	// Headers by name, as templates.
	Header ordered[text] `yaml:"header"`
	// The body as one template. At most one of body, form, json and graphql.
	Body text `yaml:"body"`
	// The body as form fields by name, as templates.
	Form ordered[text] `yaml:"form"`
	// The body as JSON; texts in it are templates, and one that is a single {{ expression }} keeps the value's type.
	JSON tree `yaml:"json"`
	// The body as a GraphQL request.
	GraphQL *graphqlDef `yaml:"graphql"`
}

// graphqlDef is a GraphQL request.
type graphqlDef struct {
	at
	// The query, as it is.
	Query text `yaml:"query"`
	// The query's variables; texts in them are templates, as in json.
	Variables tree `yaml:"variables"`
	// The name of the operation to run when the query has several.
	Operation text `yaml:"operation"`
}

// pageDef is a kind of page: which rows it gives and where it leads.
type pageDef struct {
	at
	// What the page is: html (default), xml, json, csv or text. Packed XML, JSON, CSV and text (gzip) is unpacked.
	Format text `yaml:"format"`
	// any reads answers of every HTTP status; ok, the default, only 2xx.
	Status text `yaml:"status"`
	// The character between the columns of a CSV page; default the one that the first line uses, of comma, semicolon, tab and |.
	Delimiter text `yaml:"delimiter"`
	// The names of a CSV page's columns when its first line does not name them.
	Columns []string `yaml:"columns"`
	// Rules that find the requests that the page leads to.
	Follow []followDef `yaml:"follow"`
	// How the page's further pages are found, one after the other; of a list, the first whose when holds.
	Paginate many[paginateDef] `yaml:"paginate"`
	// Whether <meta http-equiv=refresh> is followed as a redirect to a page of the same kind; default true on HTML pages that follow links or paginate.
	MetaRefresh *bool `yaml:"meta_refresh"`
	// The rows of the page.
	Rows *rowsDef `yaml:"rows"`
	// Rules that end the task after this page.
	Stop []stopDef `yaml:"stop"`
	// What a response means for the run or its account, on this kind of page.
	Detect []detectDef `yaml:"detect"`
	// Limits of the account that each page of this kind counts against, by name. Requests, results and tasks count by themselves.
	Counts many[text] `yaml:"counts"`
}

// followDef finds requests that a page leads to: by one of select, xpath, path, jq, match and link_header, or by url alone.
type followDef struct {
	at
	// The elements with the links: a CSS selector on HTML pages, element names on XML pages.
	Select text `yaml:"select"`
	// The attribute that holds the link; default href on HTML pages, else the element's text.
	Attr text `yaml:"attr"`
	// The links as an XPath, on HTML and XML pages; an element it gives is read like one of select.
	XPath text `yaml:"xpath"`
	// The links as a dotted path on JSON pages, as a column on CSV pages.
	Path text `yaml:"path"`
	// The links as a jq program on JSON pages.
	JQ text `yaml:"jq"`
	// On text pages, a regular expression whose first group is the link; with another source, what of its text is the link.
	Match text `yaml:"match"`
	// The rel of the Link header (RFC 8288) to follow, such as next.
	LinkHeader text `yaml:"link_header"`
	// The address as a template. With a source, link is what the source found.
	URL text `yaml:"url"`
	// The kind of page that the link leads to.
	Page text `yaml:"page"`
	// A condition; default always.
	When text `yaml:"when"`
	// row sends the row that the link stands in along; the page it leads to completes it.
	Carry text `yaml:"carry"`
	// Which links are followed, compared with the task's start: any (default), host, domain or prefix.
	Scope text `yaml:"scope"`
	// avoid leaves out addresses that look like traps: calendars, reply forms, log-ins that lead back, sort orders, print views; follow, the default, does not.
	Traps text `yaml:"traps"`
	// A regular expression, or a template of one, that addresses must match.
	Include text `yaml:"include"`
	// A regular expression, or a template of one, that addresses must not match.
	Exclude text `yaml:"exclude"`
	// File extensions not to follow, in lower case with their dot.
	Skip []string `yaml:"skip"`
	// The most links from the task's start, an expression; default no limit.
	MaxDepth text `yaml:"max_depth"`
	// GET, POST, PUT, PATCH, DELETE or HEAD; default GET, and POST with a body.
	Method text `yaml:"method"`
	// Headers by name, as templates.
	Header ordered[text] `yaml:"header"`
	// The body as one template. At most one of body, form, json and graphql.
	Body text `yaml:"body"`
	// The body as form fields by name, as templates.
	Form ordered[text] `yaml:"form"`
	// The body as JSON; texts in it are templates, and one that is a single {{ expression }} keeps the value's type.
	JSON tree `yaml:"json"`
	// The body as a GraphQL request.
	GraphQL *graphqlDef `yaml:"graphql"`
}

// rowsDef finds the rows of a page. Without each, xpath, jq and data the page is one row.
type rowsDef struct {
	at
	// The rows: a CSS selector on HTML pages, element names on XML pages, a dotted path on JSON pages and in data.
	Each text `yaml:"each"`
	// The rows as an XPath, on HTML and XML pages.
	XPath text `yaml:"xpath"`
	// The rows as a jq program, on JSON pages and in data: each value it gives is a row.
	JQ text `yaml:"jq"`
	// What the page holds, as JSON items that are the rows: jsonld, microdata or opengraph, {script, match} for JSON in a
	// script, or what Shoal reads of any page: article, contacts, tables, products, links, on JSON pages records, on text pages feed.
	Data *dataDef `yaml:"data"`
	// Settings of what data names, by name, as templates over params.
	Options ordered[text] `yaml:"options"`
	// With data jsonld or microdata: the type of the items, such as Product, or a list of types; default every type.
	Type many[text] `yaml:"type"`
	// The field, or the fields, that tell one row from another.
	Key many[text] `yaml:"key"`
	// row: the page completes the row that the link carried to it.
	Extends text `yaml:"extends"`
	// A condition that a row must meet, or a list of them; other rows are dropped, uncharged.
	Where many[text] `yaml:"where"`
	// The fields of a row by name.
	Fields ordered[fieldDef] `yaml:"fields"`
}

// dataDef names what a page holds as JSON; a mapping names a script.
type dataDef struct {
	at
	kind text
	// The <script> elements, a CSS selector; the first that has the JSON counts.
	Script text `yaml:"script"`
	// A regular expression; the JSON is what follows its match, such as 'window\.__STATE__ ='. Default: the whole script is JSON.
	Match text `yaml:"match"`
}

// fieldDef is one field of a row. It has exactly one source: select, xpath, path, jq, from, value, or on its own attr, as or match.
type fieldDef struct {
	at
	// The element, within the row: a CSS selector on HTML pages, element names on XML pages.
	Select text `yaml:"select"`
	// The attribute to read, instead of the element's text.
	Attr text `yaml:"attr"`
	// The value as an XPath, within the row, on HTML and XML pages: an element, an attribute, or a text or number that it computes.
	XPath text `yaml:"xpath"`
	// What of the response itself: url, request_url, final_url, redirected, status, error, depth, content_type, bytes, elapsed (milliseconds), body, header.NAME or task.NAME.
	From text `yaml:"from"`
	// A dotted path within the row on JSON pages and in data; a column on CSV pages.
	Path text `yaml:"path"`
	// A jq program on the row, on JSON pages and in data.
	JQ text `yaml:"jq"`
	// JSON embedded in the HTML page that path or jq read, for this field alone: as in rows.
	Data *dataDef `yaml:"data"`
	// With data jsonld or microdata: the type of the item; the first that has a value counts.
	Type many[text] `yaml:"type"`
	// An expression; row has the fields before this one.
	Value text `yaml:"value"`
	// Fields of an object within the row, or of a list of objects with list: true; at most 5 deep.
	Fields ordered[fieldDef] `yaml:"fields"`
	// A regular expression (RE2); the value is its first group, or the whole match without one. No match is no value.
	Match text `yaml:"match"`
	// Replacements by regular expressions, one after the other.
	Replace []replaceDef `yaml:"replace"`
	// Splits the text at this separator into a list.
	Split text `yaml:"split"`
	// Values for texts; a text that is not named is no value.
	Map ordered[scalar] `yaml:"map"`
	// true: a list of all matches; default the first one.
	List bool `yaml:"list"`
	// true: each item of a list once; default false.
	Unique bool `yaml:"unique"`
	// Narrows a list of addresses: internal to the page's host, or external to it.
	Keep text `yaml:"keep"`
	// The type that the text is read as; default string.
	As text `yaml:"as"`
	// The pattern of a date, such as DD.MM.YYYY HH:mm; default any common one.
	Format text `yaml:"format"`
	// The time zone of dates that name none, such as Europe/Paris; default UTC.
	Timezone text `yaml:"timezone"`
	// true reads 03/04/2024 as 3 April, false as March 4; default what the language says or the date itself shows.
	DayFirst *bool `yaml:"day_first"`
	// The language of a date's words, such as fr; default any that fits.
	Language text `yaml:"language"`
	// The country of phone numbers without international prefix, such as FR.
	Region text `yaml:"region"`
	// The value when there is none.
	Default scalar `yaml:"default"`
	// true drops rows without the field; default false.
	Required bool `yaml:"required"`
	// The function that fills the field; without it the field stays empty.
	Function text `yaml:"function"`
	// true marks one of the fields that clients show first.
	Main bool `yaml:"main"`
	// A value that shows what is meant.
	Example scalar `yaml:"example"`
	// What the field says, in a sentence.
	Description string `yaml:"description"`
}

// replaceDef is a replacement in a text.
type replaceDef struct {
	at
	// A regular expression (RE2).
	Match text `yaml:"match"`
	// What stands instead of each match; $1 is its first group. Default nothing.
	With string `yaml:"with"`
}

// paginateDef finds the next page, by exactly one of next, link_header, page, offset and cursor. A page that repeats
// the rows of the one before, or that has none, ends it.
type paginateDef struct {
	at
	// A condition on params; default always.
	When text `yaml:"when"`
	// The link to the next page: a selector (a path on JSON pages), or a mapping of select, xpath, path, jq, attr.
	Next *placeDef `yaml:"next"`
	// true follows the rel=next of the Link header (RFC 8288).
	LinkHeader bool `yaml:"link_header"`
	// Counts pages in a parameter.
	Page *counterDef `yaml:"page"`
	// Counts rows in a parameter.
	Offset *counterDef `yaml:"offset"`
	// Sends on what the answer names as the next place.
	Cursor *cursorDef `yaml:"cursor"`
	// A condition that ends it; rows and page_number are those of the page at hand.
	Until text `yaml:"until"`
	// The most pages, an expression; default 10000.
	MaxPages text `yaml:"max_pages"`
	// Where the answer says how many rows there are in all; it ends when so many were seen.
	Total *placeDef `yaml:"total"`
	// Where the answer says how many pages there are in all.
	TotalPages *placeDef `yaml:"total_pages"`
}

// counterDef is a number that grows from page to page: in the query (param), in a header, in a JSON body, or in an address.
type counterDef struct {
	at
	// The query parameter that holds the number; a template over params, as the other places are.
	Param text `yaml:"param"`
	// The header that holds the number.
	Header text `yaml:"header"`
	// The dotted path of the number in the request's JSON body.
	Body text `yaml:"body"`
	// The address as a template in which page_number (or offset) is the next number.
	URL text `yaml:"url"`
	// The first page's number, an expression over params; default 1, for offset 0. A number that the first request names itself counts instead.
	From text `yaml:"from"`
	// How much the number grows, an expression over params; default 1, for offset the rows of the page.
	Step text `yaml:"step"`
}

// cursorDef is a text from one answer that the next request names.
type cursorDef struct {
	at
	// Where the answer has it: a CSS selector on HTML pages, element names on XML pages.
	Select text `yaml:"select"`
	// The attribute of the selected element; default its text.
	Attr text `yaml:"attr"`
	// Where the answer has it, as an XPath.
	XPath text `yaml:"xpath"`
	// Where the answer has it, as a dotted path on JSON pages; a template over params.
	Path text `yaml:"path"`
	// Where the answer has it, as a jq program on JSON pages.
	JQ text `yaml:"jq"`
	// The response header that has it.
	FromHeader text `yaml:"from_header"`
	// A regular expression whose first group is the cursor.
	Match text `yaml:"match"`
	// The query parameter that sends it.
	Param text `yaml:"param"`
	// The header that sends it.
	Header text `yaml:"header"`
	// The dotted path in the request's JSON body that sends it.
	Body text `yaml:"body"`
	// The address as a template in which cursor is the text.
	URL text `yaml:"url"`
}

// placeDef is a place in an answer. A plain text is a selector, on JSON pages a path.
type placeDef struct {
	at
	short text
	// A CSS selector on HTML pages, element names on XML pages.
	Select text `yaml:"select"`
	// The attribute of the element; for links default href, else the element's text.
	Attr text `yaml:"attr"`
	// An XPath on HTML and XML pages.
	XPath text `yaml:"xpath"`
	// A dotted path on JSON pages.
	Path text `yaml:"path"`
	// A jq program on JSON pages.
	JQ text `yaml:"jq"`
	// A response header.
	Header text `yaml:"header"`
	// A regular expression whose first group is the value.
	Match text `yaml:"match"`
}

// stopDef ends the task after a page.
type stopDef struct {
	at
	// A condition on the page, which ends the task.
	When text `yaml:"when"`
	// So many pages in a row that gave no new row end the task, 1 to 1000.
	NoNewRows *int `yaml:"no_new_rows"`
}

// detectDef says what a response means.
type detectDef struct {
	at
	// A condition on the response.
	When text `yaml:"when"`
	// The reason for which the run then pauses, such as too_many_requests or cookies_expired.
	Reason text `yaml:"reason"`
}

// testDef is a recorded test, run offline by shoal crawler test.
type testDef struct {
	at
	// The task's params.
	Task ordered[anything] `yaml:"task"`
	// The squid's params and functions; left out, their defaults hold.
	Params ordered[anything] `yaml:"params"`
	// The recording (a HAR file) that answers the requests, as a path below the definition's directory; shoal crawler record makes one.
	Replay text `yaml:"replay"`
	// The most requests to make, for a recording that does not hold the whole site.
	Pages int `yaml:"pages"`
	// What rows must come out.
	Rows *testRowsDef `yaml:"rows"`
}

// testRowsDef says what rows a test must give.
type testRowsDef struct {
	at
	// The fewest rows.
	Min int `yaml:"min"`
	// The most rows.
	Max int `yaml:"max"`
	// Fields of the first row with their values. Fields that are not named may have any; null says that there is none.
	First ordered[anything] `yaml:"first"`
	// Every row, in order, each as first is.
	All []ordered[anything] `yaml:"all"`
}

package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"shoal"
	"shoal/internal/export"
)

// Google is how the operator lets deliveries into Google Sheets.
type Google struct {
	// Key is for the channels that have none of their own; nil: none.
	Key *GoogleKey
	// Endpoint is where the Sheets API is, such as https://sheets.example.com,
	// for those who reach Google by a gateway of their own. Empty: Google's.
	Endpoint string
}

// sheet writes a run's rows into a tab of a Google spreadsheet.
type sheet struct {
	dial      Dial
	store     Store
	google    Google
	userAgent string
	columns   func(ctx context.Context, run *shoal.Run) ([]shoal.Attribute, error)
	rows      func(ctx context.Context, run *shoal.Run) export.Rows
}

// sheetConfig is the channel's config.
type sheetConfig struct {
	URL    string `json:"url"`
	Append bool   `json:"append"`
	// Tab is the title of the tab, made if there is none; empty: the one that
	// the URL names, else the first.
	Tab string `json:"sheet"`
	// Credentials are the JSON of a GoogleKey; empty: the operator's.
	Credentials string `json:"credentials"`
}

// sheetJob is one delivery to a sheet.
type sheetJob struct {
	*sheet
	config *sheetConfig
	gid    int64
	api    *spreadsheet
	book   *book
	tab    *tab
	run    *shoal.Run
	report sheetReport
}

// sheetReport is what became of the rows.
type sheetReport struct {
	written, known, left, cut int
	why                       string // that rows were left out
}

func (s *sheet) send(ctx context.Context, p *parcel) Answer {
	a := Answer{Target: "Google Sheets"}
	var c sheetConfig
	if err := p.read(&c); err != nil {
		return Answer{Detail: err.Error(), final: true}
	}
	id, gid, err := SheetLink(c.URL)
	if err != nil {
		a.Detail, a.final = "The address of the sheet: "+err.Error(), true
		return a
	}
	key, err := s.key(&c)
	if err != nil {
		a.Detail, a.final = err.Error(), true
		return a
	}
	test := p.delivery.Event == shoal.EventTest
	patience := sheetPatience
	if test {
		patience = sheetTestPatience
	}
	j := &sheetJob{sheet: s, config: &c, gid: gid, api: newSpreadsheet(s.dial, s.google.Endpoint, id, key, s.userAgent, patience)}
	defer j.api.close()
	if test {
		err = j.test(ctx)
	} else {
		err = j.deliver(ctx, p.delivery)
	}
	if j.book != nil {
		a.Target = clip(j.book.Properties.Title, 80)
		if j.tab != nil {
			a.Target += " / " + clip(j.tab.Title, 80)
		}
	}
	if err != nil {
		a.Status, a.Detail, a.final = j.explain(err)
		a.Detail = j.scrub(a.Detail)
		return a
	}
	a.OK, a.Status, a.Detail = true, 200, j.report.String()
	if test {
		a.Detail = j.tested()
	}
	return a
}

// key is the channel's own, else the operator's.
func (s *sheet) key(c *sheetConfig) (*GoogleKey, error) {
	if c.Credentials != "" {
		key, err := ParseGoogleKey([]byte(c.Credentials))
		if err != nil {
			return nil, fmt.Errorf("the credentials cannot be used: %w", err)
		}
		return key, nil
	}
	if s.google.Key == nil {
		return nil, errors.New("there are no Google credentials: set credentials to the key file of a service account and share the sheet with its e-mail address, or have the operator start Shoal with --google-credentials FILE")
	}
	return s.google.Key, nil
}

// sheetSettled says that the delivery cannot do better, and what would.
type sheetSettled struct{ text string }

func (e *sheetSettled) Error() string { return e.text }

func settled(format string, args ...any) error { return &sheetSettled{fmt.Sprintf(format, args...)} }

// deliver brings the run's rows to the tab.
func (j *sheetJob) deliver(ctx context.Context, d *shoal.Delivery) error {
	run, err := j.store.RunByID(ctx, d.RunID)
	if errors.Is(err, shoal.ErrRunNotFound) {
		return settled("The run was deleted before its rows were sent")
	}
	if err != nil {
		return fmt.Errorf("read the run: %w", err)
	}
	j.run = &run
	attributes, err := j.columns(ctx, &run)
	if err != nil {
		return fmt.Errorf("read the run's columns: %w", err)
	}
	if err := j.look(ctx); err != nil {
		return err
	}
	w := &cellWriter{names: sheetColumns(attributes)}
	defer func() { j.report.cut = w.cut }()
	if j.config.Append {
		return j.add(ctx, w)
	}
	return j.replace(ctx, w, d)
}

// look finds the tab; nil: it is to be made under the name that was given.
func (j *sheetJob) look(ctx context.Context) (err error) {
	if j.book, err = j.api.book(ctx); err != nil {
		return err
	}
	switch {
	case j.config.Tab != "":
		j.tab = j.book.byTitle(j.config.Tab)
		return nil
	case j.gid >= 0:
		j.tab = j.book.byID(j.gid)
		if j.tab == nil {
			return settled("The spreadsheet has no tab with the number %d, which the address of the sheet names: open the tab and copy the address anew, or set sheet to its name", j.gid)
		}
		return nil
	}
	if j.tab = j.book.find(func(t *tab) bool { return !t.Hidden }); j.tab == nil {
		return settled("The spreadsheet has no tab with cells: add one")
	}
	return nil
}

// test finds out whether Shoal may write: it adds a hidden tab, writes to it and
// deletes it in one go, of which nobody sees anything.
func (j *sheetJob) test(ctx context.Context) error {
	if err := j.look(ctx); err != nil {
		return err
	}
	trial := newTab("Shoal test "+time.Now().UTC().Format("20060102150405.000000"), 1, 1)
	if err := j.api.update(ctx, addTab(trial, true), putText(trial, testText), deleteTab(trial)); err != nil {
		return err
	}
	return nil
}

// tested says that the test went well.
func (j *sheetJob) tested() string {
	where := fmt.Sprintf("a new tab, “%s”", clip(j.config.Tab, 80))
	if j.tab != nil {
		where = fmt.Sprintf("tab “%s”", clip(j.tab.Title, 80))
	}
	return fmt.Sprintf("Shoal may write to “%s”, %s; nothing was left there", clip(j.book.Properties.Title, 80), where)
}

// fit is how many rows, the header's among them, the tab may have with so many
// columns: 100,001, or what is left of the spreadsheet's cells. twice says that
// they are there a second time while they are written.
func (j *sheetJob) fit(columns int, twice bool) int {
	free := maxBookCells - j.book.cells()
	rows := maxSheetRows + 1
	for rows > 0 {
		need := max(0, max(rows, j.tab.Grid.Rows)*max(columns, j.tab.Grid.Columns)-j.tab.cells())
		if twice {
			need += rows * columns
		}
		if need <= free {
			return rows
		}
		rows -= max(1, (need-free)/(2*max(columns, j.tab.Grid.Columns)))
	}
	return 0
}

// leave counts a row that there is no room for, when the tab may have so many.
func (j *sheetJob) leave(fit int) {
	j.report.left++
	j.report.why = fmt.Sprintf("a tab gets at most %s", grouped(maxSheetRows))
	if fit <= maxSheetRows {
		j.report.why = fmt.Sprintf("a spreadsheet holds %s cells, empty ones of all tabs among them", grouped(maxBookCells))
	}
}

// full says that nothing at all could be written, which no further attempt changes.
func (j *sheetJob) full() error {
	if j.report.written > 0 || j.report.left == 0 {
		return nil
	}
	return settled("The sheet is full: %s rows were left out, as %s. Empty it, or give another sheet or tab", grouped(int64(j.report.left)), j.report.why)
}

// String says it to a person.
func (r *sheetReport) String() string {
	said := fmt.Sprintf("%s written", rowsOf(r.written))
	if r.known > 0 {
		said += fmt.Sprintf(", %s there already", grouped(int64(r.known)))
	}
	if r.left > 0 {
		said += fmt.Sprintf(". LEFT OUT: %s, as %s", rowsOf(r.left), r.why)
	}
	if r.cut > 0 {
		said += fmt.Sprintf(". CUT at %s characters: %s cells", grouped(maxCell), grouped(int64(r.cut)))
	}
	return said
}

func rowsOf(n int) string {
	if n == 1 {
		return "1 row"
	}
	return grouped(int64(n)) + " rows"
}

// scrub takes out secrets that the other side may have echoed.
func (j *sheetJob) scrub(text string) string {
	k := j.api.key
	secrets := []string{k.ClientSecret, k.RefreshToken}
	if j.api.access != nil {
		secrets = append(secrets, j.api.access.AccessToken)
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "****")
		}
	}
	return text
}

// maxGoogleKey bounds what is stored of credentials, in bytes.
const maxGoogleKey = 32 << 10

// GoogleCredentials reads what a channel is given as credentials, text or
// object, and returns it as text with the address that the sheet must be shared
// with, which may be empty.
func GoogleCredentials(given any) (text, account string, err error) {
	raw, ok := given.(string)
	if !ok {
		b, err := json.Marshal(given)
		if err != nil {
			return "", "", err
		}
		raw = string(b)
	}
	if len(raw) > maxGoogleKey {
		return "", "", fmt.Errorf("they have %s bytes; a key file has about 2,400", grouped(int64(len(raw))))
	}
	key, err := ParseGoogleKey([]byte(raw))
	if err != nil {
		return "", "", err
	}
	return raw, key.Account(), nil
}

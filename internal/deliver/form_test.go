package deliver_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/deliver"
	"shoal/internal/deliver/delivertest"
	"shoal/internal/store/storetest"
)

// streamed gives files that are made as they are read: their size is not known
// beforehand.
type streamed struct {
	content string
	broken  error // what ends them, nil: their end
	asked   *shoal.ExportForm
}

func (s streamed) OpenExport(_ context.Context, _ shoal.RunID, form shoal.ExportForm) (io.ReadCloser, int64, error) {
	*s.asked = form
	out, in := io.Pipe()
	go func() {
		io.WriteString(in, s.content)
		in.CloseWithError(s.broken)
	}()
	return out, -1, nil
}

// TestFilesInAnyForm: a bucket and a server get the file in the form that their
// settings name, under a name that says so, though its size is not known.
func TestFilesInAnyForm(t *testing.T) {
	long := strings.Repeat("0123456789abcdef\n", 1_200_000)
	e := storetest.SQLite(t)
	s3, ssh := delivertest.NewS3(t, nil), delivertest.NewSFTP(t)
	for name, content := range map[string]string{"nothing": "", "small": "one\n", "in parts": long} {
		var asked shoal.ExportForm
		f := newOffice(t, e, func(o *deliver.Options) { o.Exports = streamed{content, nil, &asked} })
		toBucket, toServer := s3.Fields(), ssh.Fields()
		toBucket["target_path"], toBucket["format"], toBucket["fields"] = "{run}", "jsonl", []string{"title"}
		toServer["format"], toServer["dotted"] = "parquet", true
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelS3: toBucket, shoal.ChannelSFTP: toServer})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.exported(run.ID)
		f.deliver(shoal.ChannelS3, 1)
		if asked.Format != shoal.FormatJSONL || len(asked.Fields) != 1 {
			t.Errorf("%s: the bucket asked for %+v", name, asked)
		}
		f.deliver(shoal.ChannelSFTP, 1)
		if asked.Format != shoal.FormatParquet || !asked.Dotted {
			t.Errorf("%s: the server asked for %+v", name, asked)
		}
		for _, d := range f.log(run.ID) {
			var got string
			var found bool
			switch d.Channel {
			case shoal.ChannelS3:
				got, found = s3.Objects(t)[strings.TrimPrefix(d.Target, delivertest.Bucket+"/")]
				found = found && strings.HasPrefix(d.Target, delivertest.Bucket+"/"+string(run.ID)+"/") && strings.HasSuffix(d.Target, ".jsonl")
			case shoal.ChannelSFTP:
				_, file, _ := strings.Cut(d.Target, ":")
				got, found = ssh.Read(t, file), strings.HasSuffix(d.Target, ".parquet")
			}
			if d.Status != shoal.DeliveryDelivered || !found || got != content {
				t.Errorf("%s by %s: %s %q, at %s %d bytes of %d", name, d.Channel, d.Status, d.Detail, d.Target, len(got), len(content))
			}
		}
	}
}

// TestFilesThatBreakOff: a file that cannot be read to its end appears nowhere,
// and the log says that it was our side.
func TestFilesThatBreakOff(t *testing.T) {
	e := storetest.SQLite(t)
	for name, content := range map[string]string{"at once": "", "in the middle": strings.Repeat("0123456789abcdef\n", 1_200_000)} {
		s3, ssh := delivertest.NewS3(t, nil), delivertest.NewSFTP(t)
		var asked shoal.ExportForm
		f := newOffice(t, e, func(o *deliver.Options) {
			o.Exports = streamed{content, errors.New("the disk of the database is away"), &asked}
		})
		f.set(map[shoal.Channel]map[string]any{shoal.ChannelS3: s3.Fields(), shoal.ChannelSFTP: ssh.Fields()})
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.exported(run.ID)
		f.deliver(shoal.ChannelS3, 1)
		f.deliver(shoal.ChannelSFTP, 1)
		for _, d := range f.log(run.ID) {
			if d.Status != shoal.DeliveryPending || !strings.Contains(d.Detail, "the disk of the database is away") {
				t.Errorf("%s by %s: %s %q", name, d.Channel, d.Status, d.Detail)
			}
		}
		if got := s3.Objects(t); len(got) != 0 {
			t.Errorf("%s: the bucket has %d objects", name, len(got))
		}
		for _, file := range ssh.Files() {
			if !strings.HasSuffix(file, ".part") {
				t.Errorf("%s: the server has %s", name, file)
			}
		}
	}
}

// TestAttachmentInAnyForm: the form is the file's name and type, and what is too
// large for a mail is found out though nobody knows its size.
func TestAttachmentInAnyForm(t *testing.T) {
	e := storetest.SQLite(t)
	p := delivertest.NewPostOffice(t, "starttls")
	for name, content := range map[string]string{"small": `[{"a":1}]`, "large": strings.Repeat("0123456789abcdef\n", 700_000)} {
		var asked shoal.ExportForm
		f := newOffice(t, e, func(o *deliver.Options) {
			o.Mail, o.Exports = settings(p, "starttls"), streamed{content, nil, &asked}
		})
		form := shoal.ExportForm{Format: shoal.FormatJSON, Omit: []string{"text"}}
		err := e.Store.SetDelivery(t.Context(), e.Workspace, f.squid, func(d *shoal.DeliveryConfig) ([]shoal.Channel, error) {
			*d = shoal.DeliveryConfig{Email: "me@example.com", Notify: true, EmailAttach: true, EmailForm: form}
			return []shoal.Channel{shoal.ChannelEmail}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		run := e.Run(t, f.squid, shoal.RunSettings{})
		f.exported(run.ID)
		f.deliver(shoal.ChannelEmail, 1)
		mails := p.Got()
		if len(mails) != 1 || asked.Variant() != form.Variant() {
			t.Fatalf("%s: %d mails, asked for %+v, log %+v", name, len(mails), asked, f.log(run.ID))
		}
		_, parts := open(t, mails[0])
		if got, attached := parts["application/json"]; attached != (name == "small") || attached && strings.TrimSpace(got) != base64.StdEncoding.EncodeToString([]byte(content)) {
			t.Errorf("%s: attached %v %.40q", name, attached, got)
		}
		if tooLarge := strings.Contains(parts["text/plain"], "too large for a mail"); tooLarge != (name == "large") {
			t.Errorf("%s: the text says too large: %v", name, tooLarge)
		}
	}
}

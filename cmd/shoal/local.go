package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
)

// localTransport answers a client's requests by calling a handler in this
// process, so that the embedded verbs speak the same API as the remote ones
// without opening a port.
type localTransport struct {
	handler http.Handler
	// identify lends the caller's identity to the request's context.
	identify func(context.Context) context.Context
}

// RoundTrip runs the handler and returns its answer as it is written.
func (t *localTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(t.identify(req.Context()))
	in := req.Clone(ctx)
	in.RequestURI = req.URL.RequestURI()
	in.Host = req.URL.Host
	in.RemoteAddr = "127.0.0.1:0"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	pr, pw := io.Pipe()
	w := &pipeWriter{pipe: pw, header: http.Header{}, ready: make(chan struct{})}
	go func() {
		defer cancel()
		defer func() {
			// The handler aborted its answer (http.ErrAbortHandler): the reader
			// must see a cut body, never a short one that looks whole.
			if p := recover(); p != nil {
				w.WriteHeader(http.StatusInternalServerError)
				pw.CloseWithError(io.ErrUnexpectedEOF)
				return
			}
			w.WriteHeader(http.StatusOK)
			pw.Close()
		}()
		t.handler.ServeHTTP(w, in)
	}()
	select {
	case <-w.ready:
	case <-ctx.Done():
		if err := req.Context().Err(); err != nil {
			pr.CloseWithError(err)
			return nil, err
		}
		<-w.ready
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: &pipeBody{pr, cancel}, ContentLength: -1, Request: req,
	}, nil
}

// pipeBody is the reader's end; closing it ends the handler.
type pipeBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *pipeBody) Close() error {
	b.cancel()
	return b.CloseWithError(errors.New("the reader closed the answer"))
}

// pipeWriter is the handler's end.
type pipeWriter struct {
	pipe   *io.PipeWriter
	header http.Header
	sent   http.Header // header as it was when the status was written
	status int
	once   sync.Once
	ready  chan struct{}
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.ready)
	})
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(b)
}

// Flush does nothing: every write reaches the reader at once.
func (w *pipeWriter) Flush() { w.WriteHeader(http.StatusOK) }

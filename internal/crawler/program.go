// Package crawler reads crawler definitions: it parses, checks and compiles
// them into programs and keeps the catalogue of those that are known.
package crawler

import (
	"time"

	"shoal"
)

// Program is a compiled definition. It is immutable and safe for concurrent use.
type Program struct {
	// Info is the crawler as clients see it.
	Info shoal.Crawler
	// Source is the definition as it was given.
	Source []byte
	// Policy is how its requests are to be made.
	Policy Policy
}

// Policy is how a crawler's requests are to be made. Zero values leave the
// decision to the fetcher's own defaults.
type Policy struct {
	// Robots is false when the definition switches robots.txt off, and then
	// RobotsWhy says why.
	Robots    bool
	RobotsWhy string
	// Delay is the pause between two requests to one host.
	Delay time.Duration
	// HostConcurrency is the most requests in flight to one host.
	HostConcurrency int
	// Header is sent with every request, besides the request's own.
	Header map[string]string
	// MaxBytes caps one response's body, after decompression.
	MaxBytes int64
	// Timeout caps one request from dialling to the last byte.
	Timeout time.Duration
	// Retries is how often a failed request is tried again; -1: the fetcher's default.
	Retries int
}

package main

import (
	"os"
	"testing"
)

func TestTheGeneratedFileIsUpToDate(t *testing.T) {
	want, err := generate("..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../keys_gen.go")
	if err != nil || string(got) != string(want) {
		t.Errorf("keys_gen.go is not what the comments say now (%v); run: go generate ./internal/crawler", err)
	}
}

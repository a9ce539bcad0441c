// Package shoal is the vocabulary of Shoal, a self-hosted scraping platform.
//
// A crawler says how to collect from a site. A squid is a crawler with
// settings and tasks (inputs). A run executes a squid's tasks and collects
// results. Accounts are logged-in sessions; deliveries carry results out;
// credits meter them. The package holds types, states and rules and does no I/O.
package shoal

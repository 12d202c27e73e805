/* Times and sizes as people and Podman write them. */
#pragma once

#include <stdint.h>
#include <time.h>

#include "base/error.h"

int64_t now_ns(void);       /* CLOCK_REALTIME since the epoch */
int64_t monotonic_ns(void); /* CLOCK_MONOTONIC */
int64_t monotonic_us(void);

/* All of these return a string the caller frees. Times are nanoseconds since the epoch. */
char *time_rfc3339(int64_t ns);     /* 2026-11-21T17:08:23.453976978Z; 0: 0001-01-01T00:00:00Z */
char *time_go(int64_t ns);          /* 2026-11-21 17:08:23.453976978 +0000 UTC */
char *duration_human(int64_t ns);   /* go-units HumanDuration: "About a minute", "3 weeks" */
char *duration_go(int64_t ns);      /* 1h2m3.5s, 12.5ms, 0s: as Go prints a duration */
char *size_human(uint64_t bytes);   /* 3 digits and a space: "2.13 MB" (images) */
char *size_compact(uint64_t bytes); /* 4 digits, no space: "1.98MB" (ps --size) */

/* RFC 3339, unix seconds (with a fraction), or a Go duration ("10m") meaning that long ago. */
int time_parse(const char *s, int64_t *ret_ns, struct error *err);
/* "1h30m", "250ms", "1.5s"; a bare number is milliseconds, as in `podman wait --interval`. */
int duration_parse(const char *s, int64_t *ret_ns, struct error *err);
/* "64m", "1g", "512k", "100b", "1073741824": binary multiples as in `podman run --memory`. */
int size_parse(const char *s, uint64_t *ret, struct error *err);

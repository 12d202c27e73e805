/* Image references: "registry.example.com:5000/team/app:1.2@sha256:..." and what Podman makes of
 * the short ones. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Parts of a reference as written; NULL where missing. `domain` is NULL for a short name. */
struct reference {
    char *domain; /* docker.io, localhost, quay.io:443 */
    char *path;   /* library/busybox */
    char *tag;
    char *digest; /* "sha256:<64 hex>" */
};
#define _cleanup_reference_ _cleanup_(reference_free)

/* Errors have Podman's texts ("repository name must be lowercase", "invalid reference format"). */
int reference_parse(const char *text, struct reference *ret, struct error *err);
void reference_free(struct reference *r);
/* "domain/path:tag@digest", parts that are there. The caller frees. */
char *reference_string(const struct reference *r);
/* "domain/path". The caller frees. */
char *reference_repository(const struct reference *r);
/* The name a new image gets: "localhost/" before a name without a domain, docker.io/busybox ->
 * docker.io/library/busybox, ":latest" without tag and digest. The caller frees *ret. */
int reference_normalize(const char *text, char **ret, struct error *err);

/* Where to look for `text` among local images, in this order: full names with tag or digest. */
int reference_local_candidates(const char *text, char ***ret, struct error *err);
/* From where to pull `text`, in this order. *ret_note (the caller frees) is Podman's line about how
 * a short name was resolved, NULL for a full name. A short name that leads nowhere is an error. */
int reference_pull_candidates(const char *text, char ***ret, char **ret_note, struct error *err);

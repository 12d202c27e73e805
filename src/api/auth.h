/* Credentials for registries, as clients send them. */
#pragma once

#include "api/request.h"
#include "base/error.h"

/* "user:password" out of the header X-Registry-Auth, *ret NULL if it has none (the caller frees):
 * base64 of {"username", "password"} (Docker) or of {"registry": {...}} (Podman). */
int auth_read(const struct request *r, char **ret, struct error *err);
/* The bytes that base64 text stands for, both alphabets. False if it is none. */
bool base64_decode(const char *text, struct buf *ret);
void base64_encode(const void *data, size_t size, struct buf *ret);

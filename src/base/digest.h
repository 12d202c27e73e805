/* SHA-256 and random ids. The only file that knows the library (nettle) is digest.c.
 *
 *     struct digest d;
 *     digest_init(&d);
 *     digest_add(&d, data, size);
 *     char hex[DIGEST_HEX_SIZE];
 *     digest_finish(&d, hex);
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define DIGEST_BYTES    32
#define DIGEST_HEX_SIZE 65 /* 64 digits and the NUL */
#define ID_HEX_SIZE     65 /* of containers and exec sessions */

/* Opaque, but it may live on the stack and be copied (a copy goes on from the same point). */
struct digest {
    uint64_t state[16];
};

void digest_init(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t size);
/* Also makes `d` ready for the next run, as digest_init does. */
void digest_finish(struct digest *d, char hex[static DIGEST_HEX_SIZE]);

/* One shot. */
void digest_of(const void *data, size_t size, char hex[static DIGEST_HEX_SIZE]);
/* Of what is left to read in `fd`. Returns the bytes read or -errno with the error naming `what`.
 */
int64_t digest_of_fd(int fd, const char *what, char hex[static DIGEST_HEX_SIZE], struct error *err);

/* Lower case hex of any bytes; `hex` has room for 2 * size + 1. */
void hex_encode(const void *data, size_t size, char *hex);
/* Exactly 64 lower case hex digits. */
bool is_sha256_hex(const char *s);
/* "sha256:<64 hex>": returns the hex part, otherwise NULL. */
const char *digest_hex_part(const char *digest);

/* 64 random hex digits. As Podman's they hold at least one letter among the first 12, so that a
 * short id never reads as a number. */
void random_id(char hex[static ID_HEX_SIZE]);
/* Fills with random bytes of the kernel. */
void random_bytes(void *data, size_t size);

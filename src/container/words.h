/* What random container names are made of. */
#pragma once

#include <stddef.h>

extern const char *const words_adjectives[];
extern const size_t words_adjective_count;
extern const char *const words_surnames[];
extern const size_t words_surname_count;

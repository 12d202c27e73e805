/* Writing names of images: for the files that make, tag and remove images. */
#pragma once

#include "store/store.h"

/* Gives the full name to the image, taking it from whoever had it. */
int image_name_set(struct store *s, const char *id, const char *name, struct error *err);

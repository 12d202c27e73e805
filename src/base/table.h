/* Aligned columns, as Go's text/tabwriter with minimal width 12 and padding 2 makes them: a cell
 * ends with a tab; a column is a run of lines that have that cell, and as wide as its widest cell
 * needs; the last cell of a line ends with the line and is not padded. */
#pragma once

#include "base/buf.h"

void table_align(const char *text, struct buf *out);

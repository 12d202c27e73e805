/* What the service says of itself. */
#pragma once

/* Sent with every answer: name, value, ..., NULL. */
extern const char *const system_headers[];

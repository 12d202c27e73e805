/* Where the store reports what it is doing: libraries do not print. */
#pragma once

struct progress {
    /* One line without its newline, as Podman prints it on stderr. NULL: quiet. */
    void (*line)(void *context, const char *text);
    void *context;
};

void progress_line(const struct progress *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What Podman says while it copies an image: the blobs (hex digests), the config, the rest. */
void progress_image(const struct progress *p, char *const *blobs, const char *config);

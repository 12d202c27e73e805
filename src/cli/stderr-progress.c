#include "cli/stderr-progress.h"

#include <stdio.h>

static void print_line(void *context, const char *text)
{
    fprintf(stderr, "%s\n", text);
}

struct progress stderr_progress(bool quiet)
{
    return (struct progress){.line = quiet ? NULL : print_line};
}

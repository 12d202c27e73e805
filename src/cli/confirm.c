#include "cli/confirm.h"

#include <stdio.h>

bool confirm(const char *warning)
{
    char answer[64];
    printf("%s\nAre you sure you want to continue? [y/N] ", warning);
    fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

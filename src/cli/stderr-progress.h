/* What the store reports on its way, as lines on stderr. */
#pragma once

#include <stdbool.h>

#include "store/progress.h"

struct progress stderr_progress(bool quiet);

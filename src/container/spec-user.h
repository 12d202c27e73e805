/* What an ordinary user's containers cannot have as the spec would have it. */
#pragma once

#include "base/json.h"

/* In a user namespace: kernel file systems of a namespace that is the host's are bound instead of
 * mounted anew, groups that do not exist are left out, and so is what his cgroups' `controllers`
 * (NULL: there are none) cannot limit. */
void spec_fit_user(struct json *spec, char *const *controllers);

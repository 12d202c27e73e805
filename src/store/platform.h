/* Names of this machine's architecture as OCI images have them. */
#pragma once

/* "amd64", "arm64", ...; what uname says where there is no other name. Static. */
const char *platform_arch(void);

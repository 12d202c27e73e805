/* Asking a bridge whether somebody has an address: not all that is on it is firn's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Does anybody on the network of the interface answer for the address (host order)? Waits a few
 * milliseconds. False when there is no such interface, or it cannot be asked. */
bool arp_is_taken(const char *interface, uint32_t address);

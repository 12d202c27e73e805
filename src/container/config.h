/* The config of a container: a JSON document with the keys of libpod's ContainerConfig, stored in
 * the database and written as config.dump into checkpoints. It is what the user asked for, resolved
 * against the image once; spec.h turns it into what the runtime gets.
 *
 * Keys as libpod's: id name CreateCommand rootfsImageID rootfsImageName RawImageName ShmDir shmSize
 * staticDir mounts createdTime cgroupManager cgroupsMode logDriver logPath logSize runtime
 * stopSignal stopTimeout command entrypoint labels user groups stdin umask userVolumes namedVolumes
 * networkMode newNetworks createNetNS restart_policy privileged labelopts hostsAdd dnsServer
 * pid_file conmonPidFile systemd..., and `spec`: the OCI runtime spec as far as it does not depend
 * on this machine's present state (args, env, cwd, capabilities, mounts, resources, hostname,
 * annotations ...).
 *
 * Keys of our own, ignored by Podman: `firn` {autoRemove, layerId, init, tmpfs..., securityOpts}.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"

struct create_options;
struct firn;
struct image;

/* Checks the options and makes the document. `image` is the resolved image. Anonymous volumes get
 * their random names here, but nothing is created. */
int config_make(struct firn *firn, const struct create_options *options, const struct image *image,
                struct json **ret, struct error *err);

/* `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, else `names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid
 * argument`. */
int config_check_name(const char *name, struct error *err);
/* adjective_surname that is not in use. The caller frees. */
char *config_random_name(struct firn *firn);

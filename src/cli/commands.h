/* Every command there is; each is defined in the file of its name, cmd-NAME.c. */
#pragma once

#include "cli/command.h"

extern const struct command command_attach;
extern const struct command command_check;
extern const struct command command_complete;
extern const struct command command_completion;
extern const struct command command_container_checkpoint;
extern const struct command command_container_cleanup;
extern const struct command command_container_exists;
extern const struct command command_container_inspect;
extern const struct command command_container_prune;
extern const struct command command_container_restore;
extern const struct command command_create;
extern const struct command command_exec;
extern const struct command command_image_exists;
extern const struct command command_image_inspect;
extern const struct command command_image_prune;
extern const struct command command_images;
extern const struct command command_import;
extern const struct command command_info;
extern const struct command command_init;
extern const struct command command_inspect;
extern const struct command command_kill;
extern const struct command command_load;
extern const struct command command_logs;
extern const struct command command_mount;
extern const struct command command_namespace_holder;
extern const struct command command_pause;
extern const struct command command_ps;
extern const struct command command_pull;
extern const struct command command_restart;
extern const struct command command_rm;
extern const struct command command_rmi;
extern const struct command command_run;
extern const struct command command_save;
extern const struct command command_start;
extern const struct command command_stop;
extern const struct command command_system_service;
extern const struct command command_tag;
extern const struct command command_unmount;
extern const struct command command_unpause;
extern const struct command command_unshare;
extern const struct command command_untag;
extern const struct command command_version;
extern const struct command command_volume_create;
extern const struct command command_volume_exists;
extern const struct command command_volume_inspect;
extern const struct command command_volume_ls;
extern const struct command command_volume_prune;
extern const struct command command_volume_rm;
extern const struct command command_wait;

#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"

/* The words come from `firn __complete`, that is from the tables; the script only fits them in. */
static const char bash_script[] =
    "# bash completion for firn, made by `firn completion bash`\n"
    "_firn()\n"
    "{\n"
    "    local cur words\n"
    "    cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
    "    words=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n"
    "    local IFS=$'\\n'\n"
    "    COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" __complete \"${words[@]}\" \"$cur\" "
    "2>/dev/null)\" -- \"$cur\"))\n"
    "    [[ ${COMPREPLY-} == *= ]] && compopt -o nospace\n"
    "}\n"
    "complete -o bashdefault -o default -F _firn firn\n";

static int run(struct call *call, struct error *err)
{
    if (!string_equal(call->args[0], "bash"))
        return error_kind_set(err, ERROR_USAGE,
                              "completion for \"%s\" is not supported by firn yet, only for bash",
                              call->args[0]);
    fputs(bash_script, stdout);
    return 0;
}

const struct command command_completion = {
    .paths = {"completion"},
    .usage = "bash",
    .help = "Generate the completion script for a shell",
    .args_least = 1,
    .args_most = 1,
    .flags = COMMAND_WITHOUT_STORE,
    .run = run,
};

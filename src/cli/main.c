#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "cli/command.h"
#include "cli/help.h"
#include "container/holder.h"

/* Each kind of error has its exit code, see error.h. */
static int exit_code(const struct error *err, unsigned flags)
{
    bool rm = flags & COMMAND_RM_CODES;
    switch (err->kind) {
    case ERROR_NOT_FOUND:
        return rm ? 1 : 125;
    case ERROR_STATE:
    case ERROR_IN_USE:
        return rm ? 2 : 125;
    case ERROR_CANNOT_INVOKE:
        return 126;
    case ERROR_COMMAND_NOT_FOUND:
        return 127;
    default:
        return 125;
    }
}

static int report(const struct error *err, unsigned flags)
{
    fflush(stdout);
    fprintf(stderr, "Error: %s\n", err->text);
    return exit_code(err, flags);
}

/* A bad command line: where to read on. */
static int report_usage(struct error *err, const char *path)
{
    fflush(stdout);
    fprintf(stderr, "Error: %s\nSee 'firn%s%s --help'\n", err->text, path ? " " : "",
            path ? path : "");
    return 125;
}

/* Podman's (cobra's) texts for a wrong number of arguments. */
static int check_arguments(const struct command *c, const char *path, size_t count,
                           struct error *err)
{
    size_t least = (size_t)c->args_least, most = (size_t)c->args_most;
    bool any = c->args_most == ARGS_ANY;
    if (count >= least && (any || count <= most))
        return 0;
    if (!any && most == 0)
        return error_kind_set(err, ERROR_USAGE, "`firn %s` takes no arguments", path);
    if (!any && most == least)
        return error_kind_set(err, ERROR_USAGE, "accepts %zu arg(s), received %zu", most, count);
    if (any)
        return error_kind_set(err, ERROR_USAGE, "requires at least %zu arg(s), only received %zu",
                              least, count);
    if (least == 0)
        return error_kind_set(err, ERROR_USAGE, "accepts at most %zu arg(s), received %zu", most,
                              count);
    return error_kind_set(err, ERROR_USAGE, "accepts between %zu and %zu arg(s), received %zu",
                          least, most, count);
}

/* What is typed behind the command fills its options and, under names it does not use itself, the
 * global ones: both live in one block. */
struct block {
    struct option table[3];
    char *data;
    struct option_result result;
};

static void block_free(struct block *b)
{
    if (b->data)
        option_free(b->table, b->data);
    free(b->data);
    option_result_free(&b->result);
}

static const struct option no_options[] = {{0}};

static void block_init(struct block *b, const struct command *c)
{
    size_t size = (c->options_size + 15) / 16 * 16;
    b->data = xcalloc(1, size + sizeof(struct global_options));
    b->table[0] =
        (struct option){.type = OPTION_TABLE, .table = c->options ? c->options : no_options};
    b->table[1] = (struct option){.type = OPTION_TABLE, .table = global_table, .offset = size};
    if (c->prepare)
        c->prepare(b->data);
}

/* Commands of an ordinary user are executed once more, in his namespaces. */
int call_enter_namespaces(const struct call *call, struct error *err)
{
    _cleanup_free_ char *note = NULL;
    if (!holder_needed())
        return 0;
    int r = holder_enter(&note, err);
    if (r < 0)
        return r;
    if (note)
        fprintf(stderr, "Warning: %s\n", note);
    return holder_execute_again(call->argv, err);
}

static int run_in_store(struct call *call, struct error *err)
{
    int r = call_enter_namespaces(call, err);
    if (r < 0)
        return r;
    _cleanup_firn_ struct firn *firn = NULL;
    struct firn_options options = global_firn_options(call->global);
    r = firn_open(&options, &firn, err);
    if (r < 0)
        return r;
    call->firn = firn;
    return call->command->run(call, err);
}

/* Results that could not be written are no success. */
static int check_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "Error: write /dev/stdout: output could not be written\n");
    return code ? code : 125;
}

/* --noout and --tmpdir act on this process. */
static void apply_globals(const struct global_options *g)
{
    if (g->tmpdir)
        setenv("TMPDIR", g->tmpdir, 1);
    int fd = g->noout ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    dup2(fd, 1);
    close(fd);
}

/* `argv` has the global options given before the command, then what stood behind it. What
 * call->global holds already are the former alone, enough for commands that parse nothing. */
static int run_command(struct call *call, char *const *argv)
{
    const struct command *c = call->command;
    struct error err = {0};
    _cleanup_(block_free) struct block b = {0};
    block_init(&b, c);
    unsigned flags = c->flags & COMMAND_STOP_AT_POSITIONAL ? OPTION_STOP_AT_POSITIONAL : 0;
    int r = 0;
    if (c->flags & COMMAND_RAW)
        b.result.args = strv_copy(argv);
    else
        r = option_parse(b.table, b.data, argv, flags, &b.result, &err);
    if (r < 0)
        return report_usage(&err, call->path);
    if (b.result.help) {
        help_command(c, call->path);
        return check_output(0);
    }
    call->options = b.data;
    if (!(c->flags & COMMAND_RAW))
        call->global = (struct global_options *)(b.data + b.table[1].offset);
    call->given = &b.result;
    call->args = b.result.args;
    call->arg_count = strv_length(b.result.args);
    apply_globals(call->global);
    r = check_arguments(c, call->path, call->arg_count, &err);
    if (r >= 0)
        r = global_check(call->global, &err);
    if (r >= 0)
        r = c->flags & COMMAND_WITHOUT_STORE ? c->run(call, &err) : run_in_store(call, &err);
    return check_output(r < 0 ? report(&err, c->flags) : r);
}

/* No command: a group, or nothing at all. */
static int run_group(const struct command_group *group, const char *word, bool help)
{
    struct error err = {0};
    bool asked = help || string_equal(word, "--help") || string_equal(word, "-h");
    if (word && word[0] == '-' && !asked) {
        error_kind_set(&err, ERROR_USAGE, "unknown flag: %s", word);
        return report_usage(&err, group ? group->name : NULL);
    }
    if (word && !asked) {
        command_unknown(group ? group->name : NULL, word, &err);
        return report(&err, 0);
    }
    help_group(group);
    if (asked)
        return check_output(0);
    error_kind_set(&err, ERROR_USAGE, "missing command 'firn%s%s COMMAND'", group ? " " : "",
                   group ? group->name : "");
    return report(&err, 0);
}

/* `firn help [COMMAND]` is `firn [COMMAND] --help`. */
static int run_help(char *const *words)
{
    size_t used;
    const char *path;
    if (!words[0])
        return run_group(NULL, NULL, true);
    const struct command *c = command_find(words, &used, &path);
    if (c) {
        help_command(c, path);
        return check_output(0);
    }
    const struct command_group *group = command_group_find(words[0]);
    return run_group(group, group ? words[1] : words[0], group && !words[1]);
}

static int run_line(char **argv, const struct global_options *global,
                    const struct option_result *before)
{
    char *const *words = before->args;
    if (global->version) {
        printf("firn version %s\n", FIRN_VERSION);
        return check_output(0);
    }
    if (before->help || !words)
        return run_group(NULL, NULL, before->help);
    if (string_equal(words[0], "help"))
        return run_help(words + 1);
    size_t used = 0, count = strv_length(words);
    struct call call = {.argv = argv, .global = global};
    call.command = command_find(words, &used, &call.path);
    if (!call.command) {
        const struct command_group *group = command_group_find(words[0]);
        return run_group(group, group ? words[1] : words[0], false);
    }
    _cleanup_strv_ char **rest = NULL;
    size_t globals = strv_length(argv + 1) - count;
    for (size_t i = 0; i < globals && !(call.command->flags & COMMAND_RAW); i++)
        strv_add(&rest, argv[1 + i]);
    strv_add_all(&rest, words + used);
    static char *const empty[] = {NULL};
    return run_command(&call, rest ? rest : empty);
}

/* Descriptors 0, 1 and 2 exist, so that nothing we open becomes one of them. */
static void ensure_stdio(void)
{
    struct stat st;
    for (int fd = 0; fd <= 2; fd++)
        if (fstat(fd, &st) < 0 && open("/dev/null", O_RDWR) < 0)
            _exit(125);
}

int main(int argc, char **argv)
{
    ensure_stdio();
    setlocale(LC_CTYPE, "C.UTF-8");
    struct error err = {0};
    struct global_options global = {0};
    _cleanup_option_result_ struct option_result before = {0};
    int code;
    int r = option_parse(global_table, &global, argv + (argc > 0), OPTION_STOP_AT_POSITIONAL,
                         &before, &err);
    if (r < 0)
        code = report_usage(&err, NULL);
    else
        code = run_line(argv, &global, &before);
    option_free(global_table, &global);
    return code;
}

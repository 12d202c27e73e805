/* A firn with a store of its own and an image that is only a row in the database. */
#pragma once

#include "test.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/json.h"
#include "container/config.h"
#include "container/container.h"
#include "container/create-options.h"
#include "container/firn.h"
#include "store/database.h"
#include "store/image.h"
#include "store/store.h"

struct fixture {
    char *dir;
    struct firn *firn;
    struct image image;
    struct create_options options;
    struct error err;
};

static inline void fixture_begin(struct fixture *f)
{
    f->dir = test_directory();
    char *root = path_join(f->dir, "root"), *runroot = path_join(f->dir, "run");
    struct firn_options o = {.root = root, .runroot = runroot, .runtime = "/bin/true"};
    CHECK_INT(firn_open(&o, &f->firn, &f->err), 0);
    free(root);
    free(runroot);
    static const char config[] =
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"PATH=/bin\",\"A=1\"],"
        "\"Cmd\":[\"sh\"],\"Entrypoint\":[\"/init\"],\"WorkingDir\":\"/work\",\"User\":\"bob\","
        "\"StopSignal\":\"SIGUSR1\",\"Labels\":{\"l\":\"image\"},\"Volumes\":{\"/data\":{}}}}";
    f->image = (struct image){.id = xstrdup("0123"), .digest = xstrdup("sha256:0")};
    CHECK_INT(js_parse(config, strlen(config), "image", &f->image.config, &f->err), 0);
    CHECK_INT(
        database_run(f->firn->store->db, &f->err,
                     "INSERT INTO images (id, digest, created, added, size, config, manifest) "
                     "VALUES ('0123', 'sha256:0', 0, 0, 0, '{}', '{}')",
                     NULL),
        1);
    create_options_init(&f->options);
    f->options.image = "busybox";
}

static inline void fixture_end(struct fixture *f)
{
    create_options_free(&f->options);
    firn_close(f->firn);
    free(f->image.id);
    free(f->image.digest);
    js_unref(f->image.config);
    test_directory_remove(&f->dir);
}
#define _cleanup_fixture_ _cleanup_(fixture_end)

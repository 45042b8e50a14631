/* SPDX-License-Identifier: Apache-2.0
 *
 * Which program a scenario runs: one of goprogs/, a module of the user's, or a command.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "plan/conversion.h"

static int unknown_program(const char *name, const char *home, struct err *err)
{
	cleanup_free char *folder = strf("%s/goprogs", home);
	cleanup_strv struct strv all = STRV_INIT, programs = STRV_INIT;

	(void)folder_list(folder, &all, NULL);
	for (size_t i = 0; i < all.n; i++) {
		cleanup_free char *main_file = strf("%s/%s/main.go", folder, all.v[i]);

		if (file_exists(main_file))
			strv_push(&programs, all.v[i]);
	}

	const char *near = nearest_word(name, (const char *const *)programs.v, programs.n);

	return near ? err_usage(err, "there is no program '%s' in goprogs/: did you mean '%s'?", name, near)
		    : err_usage(err, "there is no program '%s' in goprogs/; for your own: program: {dir: ..., package: ...}",
				name);
}

static int convert_bundled(struct conversion *c)
{
	struct program *p = &c->s->program;
	const char *name = c->raw->program.name;
	cleanup_free char *folder = strf("%s/goprogs/%s", c->home, name);
	cleanup_free char *main_file = strf("%s/main.go", folder), *cgo_file = strf("%s/CGO", folder);

	if (strchr(name, '/') || *name == '.' || !file_exists(main_file)) {
		(void)unknown_program(name, c->home, c->err);
		return places_wrap(c->places, c->err, "program");
	}
	p->kind = PROGRAM_BUNDLED;
	p->name = xstrdup(name);
	p->dir = realpath(folder, NULL);
	p->package = strf("./%s", name);
	p->cgo = file_exists(cgo_file);
	return 0;
}

static char *last_element(const char *path)
{
	size_t end = strlen(path);

	while (end > 1 && path[end - 1] == '/')
		end--;

	size_t start = end;

	while (start > 0 && path[start - 1] != '/')
		start--;
	return strf("%.*s", (int)(end - start), path + start);
}

/* A path as the scenario's file sees it, absolute; NULL where there is nothing. */
static char *resolve(const struct scenario *s, const char *path)
{
	const char *slash = strrchr(s->path, '/');
	cleanup_free char *joined =
		*path == '/' || !slash ? xstrdup(path) : strf("%.*s/%s", (int)(slash - s->path), s->path, path);

	return realpath(joined, NULL);
}

/* As `go` itself looks for it: in the folder, or in one above. */
static bool in_module(const char *dir)
{
	cleanup_free char *at = xstrdup(dir);

	for (char *slash = at + strlen(at); slash; slash = strrchr(at, '/')) {
		*slash = 0;

		cleanup_free char *go_mod = strf("%s/go.mod", at);
		if (file_exists(go_mod))
			return true;
	}
	return false;
}

static int convert_module(struct conversion *c)
{
	const struct raw_program *raw = &c->raw->program;
	struct program *p = &c->s->program;
	const char *package = raw->package ? raw->package : ".";
	cleanup_free char *dir = resolve(c->s, raw->dir);
	cleanup_free char *sources = strf("%s/%s", dir ? dir : "", package);

	if (!dir || !folder_exists(dir)) {
		(void)err_usage(c->err, "there is no folder %s", raw->dir);
		return places_wrap(c->places, c->err, "program.dir");
	}
	if (!in_module(dir)) {
		(void)err_usage(c->err, "%s is no Go module: it has no go.mod, and no folder above has one", raw->dir);
		return places_wrap(c->places, c->err, "program.dir");
	}
	if (*package == '.' && !folder_exists(sources)) {
		(void)err_usage(c->err, "there is no package %s in %s", package, raw->dir);
		return places_wrap(c->places, c->err, "program.package");
	}
	if (raw->cgo && strcmp(raw->cgo, "true") && strcmp(raw->cgo, "false")) {
		(void)err_usage(c->err, "cgo is true or false, not '%s'", raw->cgo);
		return places_wrap(c->places, c->err, "program.cgo");
	}
	p->kind = PROGRAM_MODULE;
	p->name = last_element(dir);
	p->dir = TAKE(dir);
	p->package = xstrdup(package);
	p->cgo = raw->cgo && !strcmp(raw->cgo, "true");
	return 0;
}

static bool in_path(const char *command)
{
	const char *path = getenv("PATH");
	cleanup_strv struct strv folders = STRV_INIT;

	strv_split(&folders, path ? path : "/usr/bin:/bin", ":");
	for (size_t i = 0; i < folders.n; i++) {
		cleanup_free char *there = strf("%s/%s", folders.v[i], command);

		if (file_exists(there) && access(there, X_OK) == 0)
			return true;
	}
	return false;
}

int convert_words(struct conversion *c, const struct raw_list *raw, const char *path, struct strv *ret)
{
	const char *first = raw->n ? raw->v[0] : "";
	cleanup_free char *there = strchr(first, '/') ? resolve(c->s, first) : NULL;

	if (!*first) {
		(void)err_usage(c->err, "command is empty: write it as in [./server, -v]");
		return places_wrap(c->places, c->err, "%s", path);
	}
	if (strchr(first, '/') ? !there || !file_exists(there) || access(there, X_OK) < 0 : !in_path(first)) {
		(void)err_usage(c->err,
				strchr(first, '/') ? "there is no executable file %s" : "there is no command '%s' in PATH",
				first);
		return places_wrap(c->places, c->err, "%s[0]", path);
	}
	strv_push(ret, there ? there : first);
	for (unsigned i = 1; i < raw->n; i++)
		strv_push(ret, raw->v[i]);
	return 0;
}

static int convert_command(struct conversion *c)
{
	struct program *p = &c->s->program;
	int r = convert_words(c, &c->raw->program.command, "program.command", &p->command);

	if (r < 0)
		return r;
	p->kind = PROGRAM_COMMAND;
	p->name = last_element(c->raw->program.command.v[0]);
	return 0;
}

int convert_program(struct conversion *c)
{
	const struct raw_program *raw = &c->raw->program;
	bool command = raw->command.v || raw->command.n;

	for (unsigned i = 0; i < c->raw->args.n; i++)
		strv_push(&c->s->args, c->raw->args.v[i]);
	if (raw->name)
		return convert_bundled(c);
	if (raw->dir && !command)
		return convert_module(c);
	if (command && !raw->dir && !raw->package && !raw->cgo)
		return convert_command(c);
	(void)err_usage(c->err, command ? "program is a command or a module: command goes with no other key"
					: "program has neither a dir nor a command");
	return places_wrap(c->places, c->err, "program");
}

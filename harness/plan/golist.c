/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/golist.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"

/* --- the catalogue --- */

void catalogue_add(struct catalogue *c, const struct go_version *v, const char *goroot)
{
	size_t i = c->n;

	while (i > 0 && go_version_compare(&c->entries[i - 1].version, v) >= 0)
		i--;
	if (i == c->n || go_version_compare(&c->entries[i].version, v)) {
		c->entries = xreallocarray(c->entries, c->n + 1, sizeof(*c->entries));
		memmove(c->entries + i + 1, c->entries + i, (c->n - i) * sizeof(*c->entries));
		c->entries[i] = (struct catalogue_entry){ .version = *v };
		c->n++;
	}
	if (goroot && !c->entries[i].goroot)
		c->entries[i].goroot = xstrdup(goroot);
}

void catalogue_add_builtin(struct catalogue *c)
{
	for (int minor = RELEASE_OLDEST_MINOR; minor <= release_newest_known_minor(); minor++) {
		const struct go_version v = { .minor = minor, .patch = release_newest_known_patch(minor) };

		catalogue_add(c, &v, NULL);
	}
}

void catalogue_done(struct catalogue *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->entries[i].goroot);
	free(c->entries);
	*c = (struct catalogue){ 0 };
}

/* The newest release at or below a minor; pre-releases only count where nobody asks for "the newest". */
static const struct catalogue_entry *newest_of(const struct catalogue *c, int first_minor, int last_minor)
{
	for (size_t i = c->n; i-- > 0;) {
		const struct go_version *v = &c->entries[i].version;

		if (!*v->pre && v->minor >= first_minor && v->minor <= last_minor)
			return &c->entries[i];
	}
	return NULL;
}

static const struct catalogue_entry *find_entry(const struct catalogue *c, const struct go_version *v)
{
	for (size_t i = 0; i < c->n; i++)
		if (!go_version_compare(&c->entries[i].version, v))
			return &c->entries[i];
	return NULL;
}

/* --- what is written --- */

static int check_oldest(int minor, struct err *err)
{
	if (minor >= RELEASE_OLDEST_MINOR)
		return 0;
	return err_usage(err, "Go 1.%d is too old: the oldest release that memtide runs is 1.%d", minor, RELEASE_OLDEST_MINOR);
}

static int parse_end(const char *range, const char *end, bool last, int *ret_minor, struct err *err)
{
	struct go_version v;

	if (last && !strcmp(end, "latest")) {
		*ret_minor = INT_MAX;
		return 0;
	}
	if (go_version_parse(end, &v, NULL) < 0)
		return err_usage(err, "'%s' is no range of Go releases: write it as in 1.11..1.16 or 1.11..latest", range);
	if (strchr(strchr(end, '.') + 1, '.') || *v.pre)
		return err_usage(err, "the ends of the range %s must be minor releases: write 1.%d, not %s", range, v.minor, end);
	*ret_minor = v.minor;
	return check_oldest(v.minor, err);
}

static int parse_range(const char *range, const char *dots, struct go_span *ret, struct err *err)
{
	cleanup_free char *first = strf("%.*s", (int)(dots - range), range);
	int r = parse_end(range, first, false, &ret->first_minor, err);

	if (r >= 0)
		r = parse_end(range, dots + 2, true, &ret->last_minor, err);
	if (r >= 0 && ret->last_minor < ret->first_minor)
		r = err_usage(err, "the range %s is backwards: write 1.%d..1.%d", range, ret->last_minor, ret->first_minor);
	ret->kind = GO_SPAN_MINORS;
	return r;
}

int go_span_parse(const char *element, struct go_span *ret, struct err *err)
{
	static const char *const words[] = { "latest", "previous", "local" };
	const char *dots = strstr(element, "..");
	struct go_span s = { 0 };
	int r = 0;

	if (!strcmp(element, "latest")) {
		s.kind = GO_SPAN_LATEST;
	} else if (!strcmp(element, "previous")) {
		s.kind = GO_SPAN_PREVIOUS;
	} else if (!strcmp(element, "local")) {
		s.kind = GO_SPAN_LOCAL;
	} else if (element[0] == '/') {
		s.kind = GO_SPAN_GOROOT;
	} else if (strchr(element, '/')) {
		r = err_usage(err, "'%s' is not an absolute path: write the Go tree's whole path, from / on", element);
	} else if (dots) {
		r = parse_range(element, dots, &s, err);
	} else if (go_version_parse(element, &s.exact, NULL) < 0) {
		const char *near = nearest_word(element, words, sizeof(words) / sizeof(*words));

		r = near ? err_usage(err, "'%s' is no Go release: did you mean '%s'?", element, near)
			 : err_usage(err,
				     "'%s' is no Go release: write 1.15, 1.15.3, 1.11..1.16, latest, previous, local or the path "
				     "of a Go tree",
				     element);
	} else {
		bool whole_minor = !strchr(strchr(element, '.') + 1, '.') && !*s.exact.pre;

		s.kind = whole_minor ? GO_SPAN_MINORS : GO_SPAN_EXACT;
		s.first_minor = s.last_minor = s.exact.minor;
		r = check_oldest(s.exact.minor, err);
	}
	if (r >= 0)
		*ret = s;
	return r;
}

bool go_span_contains(const struct go_span *s, const struct go_version *v)
{
	if (s->kind == GO_SPAN_EXACT)
		return !go_version_compare(&s->exact, v);
	return s->kind == GO_SPAN_MINORS && v->minor >= s->first_minor && v->minor <= s->last_minor;
}

/* --- what it means today --- */

static void add_spec(struct go_specs *ret, char *owned_text, const struct go_version *v, const char *goroot)
{
	for (size_t i = 0; i < ret->n; i++) {
		const struct go_spec *s = &ret->v[i];
		bool path = owned_text[0] == '/', same_path = !strcmp(s->text, owned_text);

		/* A tree that the user names is another toolchain than the release whose number it bears. */
		if (path ? same_path : s->text[0] != '/' && !go_version_compare(&s->version, v)) {
			free(owned_text);
			return;
		}
	}
	ret->v = xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
	ret->v[ret->n++] = (struct go_spec){ owned_text, *v, goroot ? xstrdup(goroot) : NULL };
}

static int check_newest(const struct catalogue *c, int minor, struct err *err)
{
	const struct catalogue_entry *newest = newest_of(c, 0, INT_MAX);
	char text[32];

	if (!newest)
		return err_usage(err, "no Go release is known");
	if (minor <= newest->version.minor)
		return 0;
	for (size_t i = c->n; i-- > 0;)
		if (c->entries[i].version.minor == minor)
			return err_usage(err, "Go 1.%d is not released yet: name its pre-release, %s", minor,
					 go_version_format(text, sizeof(text), &c->entries[i].version));
	return err_usage(err, "there is no Go 1.%d yet: the newest known is %s", minor,
			 go_version_format(text, sizeof(text), &newest->version));
}

static int add_minors(const struct go_span *s, const struct catalogue *c, struct go_specs *ret, struct err *err)
{
	const struct catalogue_entry *newest = newest_of(c, 0, INT_MAX);
	int last = s->last_minor == INT_MAX && newest ? newest->version.minor : s->last_minor;
	int r = check_newest(c, last, err);

	/* `1.99..latest` */
	if (r >= 0)
		r = check_newest(c, s->first_minor, err);
	for (int minor = s->first_minor; r >= 0 && minor <= last; minor++) {
		const struct catalogue_entry *e = newest_of(c, minor, minor);

		if (e)
			add_spec(ret, strf("1.%d", minor), &e->version, e->goroot);
		else if (s->first_minor == s->last_minor)
			r = err_usage(err, "no release of Go 1.%d is known here: name one exactly, as in 1.%d.1", minor, minor);
	}
	return r;
}

static int add_exact(const struct go_version *v, const struct catalogue *c, struct go_specs *ret, struct err *err)
{
	const struct catalogue_entry *e = find_entry(c, v);
	char text[32];
	int r = e ? 0 : check_newest(c, v->minor, err);

	if (r >= 0)
		add_spec(ret, strf("%s", go_version_format(text, sizeof(text), v)), v, e ? e->goroot : NULL);
	return r;
}

static int add_newest(const struct catalogue *c, bool previous, struct go_specs *ret, struct err *err)
{
	const struct catalogue_entry *e = newest_of(c, 0, INT_MAX);

	if (e && previous)
		e = newest_of(c, 0, e->version.minor - 1);
	if (!e)
		return err_usage(err, "no Go release is known");
	add_spec(ret, strf("1.%d", e->version.minor), &e->version, e->goroot);
	return 0;
}

static int add_local(const struct catalogue *c, struct go_specs *ret, struct err *err)
{
	char text[32];
	bool any = false;

	for (size_t i = 0; i < c->n; i++) {
		const struct catalogue_entry *e = &c->entries[i];

		if (!e->goroot || e->version.minor < RELEASE_OLDEST_MINOR)
			continue;
		add_spec(ret, strf("%s", go_version_format(text, sizeof(text), &e->version)), &e->version, e->goroot);
		any = true;
	}
	if (!any)
		return err_usage(err, "there is no Go toolchain from 1.%d on here: fetch one, as in `memtide go fetch latest`",
				 RELEASE_OLDEST_MINOR);
	return 0;
}

/* "go1.22.1\ntime ...", "devel go1.28-6e676ab2b8 Mon ...", "go1.28-devel_6e676ab2b8": a tree that nobody released says of which
 * minor it is the beginning, and no more. */
static int version_of_tree(const char *goroot, struct go_version *ret)
{
	static const char *const files[] = { "VERSION", "VERSION.cache" };
	struct err cleanup_err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		cleanup_free char *path = strf("%s/%s", goroot, files[i]), *text = NULL;

		if (file_read(path, 4096, &text, NULL, &err) < 0)
			continue;

		bool devel = !strncmp(text, "devel ", 6);
		const char *start = text + (devel ? 6 : 0);
		size_t n = strcspn(start, "- \n\t+");
		cleanup_free char *number = strf("%.*s", (int)n, start);

		devel |= start[n] == '-';
		if (go_version_parse(number, ret, NULL) < 0)
			continue;
		if (devel)
			(void)snprintf(ret->pre, sizeof(ret->pre), "devel");
		return 0;
	}
	return -1;
}

static int add_goroot(const char *path, struct go_specs *ret, struct err *err)
{
	cleanup_free char *real = realpath(path, NULL), *go = real ? strf("%s/bin/go", real) : NULL;
	struct go_version v;

	if (!real || !folder_exists(real))
		return err_usage(err, "there is no folder %s", path);
	if (access(go, X_OK) < 0)
		return err_usage(err, "%s is no Go tree: it has no bin/go (in a tree of sources, src/make.bash builds it)", path);
	if (version_of_tree(real, &v) < 0)
		return err_usage(err, "%s is no Go tree: its VERSION file is missing or says nothing known", path);
	if (check_oldest(v.minor, err) < 0)
		return err_wrap(err, "%s", path);
	add_spec(ret, xstrdup(path), &v, real);
	return 0;
}

static int expand_element(const char *element, const struct catalogue *c, struct go_specs *ret, struct err *err)
{
	struct go_span s;
	int r = go_span_parse(element, &s, err);

	if (r < 0)
		return r;
	switch (s.kind) {
	case GO_SPAN_MINORS:
		return add_minors(&s, c, ret, err);
	case GO_SPAN_EXACT:
		return add_exact(&s.exact, c, ret, err);
	case GO_SPAN_LATEST:
		return add_newest(c, false, ret, err);
	case GO_SPAN_PREVIOUS:
		return add_newest(c, true, ret, err);
	case GO_SPAN_LOCAL:
		return add_local(c, ret, err);
	case GO_SPAN_GOROOT:
		return add_goroot(element, ret, err);
	}
	return 0;
}

static int split(const char *list, struct strv *ret, struct err *err)
{
	strv_split(ret, list, ", \t");
	return ret->n ? 0 : err_usage(err, "the list of Go releases is empty: write it as in 1.11..1.16,latest");
}

int golist_check(const char *list, struct err *err)
{
	cleanup_strv struct strv elements = STRV_INIT;
	struct go_span s;
	int r = split(list, &elements, err);

	for (size_t i = 0; r >= 0 && i < elements.n; i++)
		r = go_span_parse(elements.v[i], &s, err);
	return r;
}

int golist_expand(const char *list, const struct catalogue *c, struct go_specs *ret, struct err *err)
{
	cleanup_strv struct strv elements = STRV_INIT;
	int r = split(list, &elements, err);

	for (size_t i = 0; r >= 0 && i < elements.n; i++)
		r = expand_element(elements.v[i], c, ret, err);
	return r;
}

void go_specs_done(struct go_specs *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].text);
		free(s->v[i].goroot);
	}
	free(s->v);
	*s = (struct go_specs){ 0 };
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/layout.h"

#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "gostate/dwarf_types.h"
#include "gostate/elf_go.h"

#define NAME_MAX_ 64
#define NAMES_MAX 192 /* variables and types that are looked for */

#define TEXT_(name, names) names,
static const char *const place_names[] = { GO_PLACES(TEXT_) };
static const char *const member_names[] = { GO_MEMBERS(TEXT_) };
static const char *const type_names[] = { GO_TYPES(TEXT_) };
#define WITNESS_(name) name,
static const char *const witness_names[] = { GO_WITNESSES(WITNESS_) };

const char *layout_place_names(enum go_place_id id)
{
	return place_names[id];
}

const char *layout_member_names(enum go_member_id id)
{
	return member_names[id];
}

/* One "runtime.sched:gFree.n" of a list; *at moves on. false: no more. */
struct name_path {
	char name[NAME_MAX_], path[NAME_MAX_];
};

static bool next_name(const char **at, struct name_path *ret)
{
	size_t len = strcspn(*at, ";"), name = strcspn(*at, ":;");

	if (!**at)
		return false;
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)name, *at);
	snprintf(ret->path, sizeof(ret->path), "%.*s", (int)(len > name ? len - name - 1 : 0), name < len ? *at + name + 1 : "");
	*at += len + ((*at)[len] == ';');
	return true;
}

/* ---- from DWARF ------------------------------------------------------------------------------------------------------------------- */

struct wanted {
	char text[NAMES_MAX][NAME_MAX_];
	struct dwarf_name v[NAMES_MAX];
	size_t n;
};

static struct dwarf_name *find_wanted(struct wanted *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(w->v[i].name, name))
			return &w->v[i];
	return NULL;
}

static void want(struct wanted *w, const char *name)
{
	if (find_wanted(w, name) || w->n == NAMES_MAX)
		return;
	snprintf(w->text[w->n], NAME_MAX_, "%s", name);
	w->v[w->n].name = w->text[w->n];
	w->n++;
}

static void want_all(struct wanted *w, const char *const *lists, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *at = lists[i];
		struct name_path p;

		while (next_name(&at, &p))
			want(w, p.name);
	}
}

static int by_name(const void *a, const void *b)
{
	const struct dwarf_name *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct wanted *wanted_names(void)
{
	struct wanted *w = xcalloc(1, sizeof(*w));

	want_all(w, place_names, GO_PLACE_COUNT_);
	want_all(w, member_names, GO_MEMBER_COUNT_);
	want_all(w, type_names, GO_TYPE_COUNT_);
	qsort(w->v, w->n, sizeof(w->v[0]), by_name);
	return w;
}

/* Of every release from 1.11 on; those of its names that a release lacks are not looked for any further once these are found. */
static const char *const always[] = { "runtime.memstats", "runtime.sched", "runtime.allglen", "runtime.allgs", "runtime.allp",
	"runtime.allm", "runtime.mheap_", "runtime.gomaxprocs", "runtime.firstmoduledata", "runtime.mspan", "runtime.g", "runtime.m",
	"runtime.p", "runtime.bucket", "runtime.moduledata", "runtime.heapArena", "runtime.memRecordCycle", "runtime.memRecord" };

static bool is_size(uint64_t offset, uint64_t size)
{
	return offset <= UINT32_MAX && size > 0 && size <= UINT32_MAX;
}

static void place_from_dwarf(struct dwarf_info *d, struct wanted *w, enum go_place_id id, struct go_place *ret)
{
	const char *at = place_names[id];
	struct name_path p;

	for (uint8_t which = 0; next_name(&at, &p); which++) {
		struct dwarf_name *variable = find_wanted(w, p.name);
		struct dwarf_entry type;
		uint64_t address, offset, size;

		if (!variable->found || !dwarf_variable_address(d, &variable->entry, &address) ||
		    !dwarf_type_of(d, &variable->entry, &type) || !dwarf_follow(d, &type, p.path, &offset, &size) || !is_size(offset, size))
			continue;
		*ret = (struct go_place){ address + offset, (uint32_t)offset, (uint32_t)size, which };
		return;
	}
}

static void member_from_dwarf(struct dwarf_info *d, struct wanted *w, enum go_member_id id, struct go_member *ret)
{
	const char *at = member_names[id];
	struct name_path p;

	for (uint8_t which = 0; next_name(&at, &p); which++) {
		struct dwarf_name *type = find_wanted(w, p.name);
		uint64_t offset, size;

		if (!type->found || !dwarf_follow(d, &type->entry, p.path, &offset, &size) || !is_size(offset, size))
			continue;
		*ret = (struct go_member){ (uint32_t)offset, (uint32_t)size, which };
		return;
	}
}

/* false: there is no DWARF, or none of the runtime. */
static bool layout_from_dwarf(struct go_layout *l, Elf *elf, int fd)
{
	struct dwarf_info *d = dwarf_open(elf, fd);
	struct wanted *w;
	bool found = false;

	if (!d)
		return false;
	w = wanted_names();
	for (size_t i = 0; i < w->n; i++)
		for (size_t k = 0; k < sizeof(always) / sizeof(always[0]); k++)
			w->v[i].always |= !strcmp(w->v[i].name, always[k]);
	dwarf_find(d, w->v, w->n);
	for (int i = 0; i < GO_PLACE_COUNT_; i++) {
		place_from_dwarf(d, w, (enum go_place_id)i, &l->place[i]);
		found |= l->place[i].size > 0;
	}
	for (int i = 0; i < GO_MEMBER_COUNT_; i++)
		member_from_dwarf(d, w, (enum go_member_id)i, &l->member[i]);
	for (int i = 0; i < GO_TYPE_COUNT_; i++) {
		struct dwarf_name *type = find_wanted(w, type_names[i]);
		uint64_t offset, size;

		if (type->found && dwarf_follow(d, &type->entry, "", &offset, &size) && is_size(0, size))
			l->type_size[i] = (uint32_t)size;
	}
	free(w);
	dwarf_close(d);
	return found;
}

/* ---- from symbols ------------------------------------------------------------------------------------------------------------------ */

static bool layout_from_symbols(struct go_layout *l, Elf *elf)
{
	struct wanted *w = wanted_names();
	struct elf_symbol *v;
	bool found;

	want_all(w, witness_names, GO_WITNESS_COUNT_);
	qsort(w->v, w->n, sizeof(w->v[0]), by_name);
	v = xcalloc(w->n, sizeof(*v));

	for (size_t i = 0; i < w->n; i++)
		v[i].name = w->v[i].name;
	found = elf_symbols(elf, v, w->n);
	for (int i = 0; i < GO_PLACE_COUNT_; i++) {
		const char *at = place_names[i];
		struct name_path p;

		for (int which = 0; which < GO_NAMES_MAX && next_name(&at, &p); which++)
			l->symbol[i][which] = v[find_wanted(w, p.name) - w->v].address;
	}
	for (int i = 0; i < GO_WITNESS_COUNT_; i++)
		l->witness_bytes[i] = v[find_wanted(w, witness_names[i]) - w->v].size;
	free(v);
	free(w);
	return found;
}

void layout_read_sizes(int fd, struct go_layout *l)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);

	if (elf)
		(void)layout_from_symbols(l, elf);
	elf_end(elf);
}

size_t layout_release_length(const char *version)
{
	size_t n;

	if (strncmp(version, "go1.", 4) != 0 || strstr(version, "devel"))
		return 0;
	n = 4 + strspn(version + 4, "0123456789.abcdefghijklmnopqrstuvwxyz");
	return n > 4 && !strstr(version, "..") && (!version[n] || strchr(" -+", version[n])) ? n : 0;
}

/* The first witness that both have, in two sizes; -1: there is none. */
static int differs(const struct go_layout *a, const struct go_layout *b)
{
	for (int i = 0; i < GO_WITNESS_COUNT_; i++)
		if (a->witness_bytes[i] && b->witness_bytes[i] && a->witness_bytes[i] != b->witness_bytes[i])
			return i;
	return -1;
}

int layout_complete(struct go_layout *l, const struct go_layout *from, struct err *err)
{
	if (l->source != LAYOUT_PARTIAL)
		return 0;
	size_t release = layout_release_length(l->version);
	int witness = differs(l, from);

	if (from->source != LAYOUT_DWARF || !release || layout_release_length(from->version) != release ||
	    strncmp(from->version, l->version, release) != 0)
		return err_set(err, 0, "offsets of %s do not fit a binary of %s", from->version[0] ? from->version : "an unknown release",
			       l->version[0] ? l->version : "an unknown release");
	if (witness >= 0)
		return err_set(err, 0, "its debug information was left out (-ldflags=-w), and its runtime is not the one of %s: %s has %llu bytes, "
				       "not %llu", from->version, witness_names[witness], (unsigned long long)l->witness_bytes[witness],
			       (unsigned long long)from->witness_bytes[witness]);
	for (int i = 0; i < GO_PLACE_COUNT_; i++) {
		const struct go_place *f = &from->place[i];
		uint64_t variable = f->which < GO_NAMES_MAX ? l->symbol[i][f->which] : 0;

		l->place[i] = (struct go_place){ 0 };
		if (f->size && variable)
			l->place[i] = (struct go_place){ variable + f->in_variable, f->in_variable, f->size, f->which };
	}
	memcpy(l->member, from->member, sizeof(l->member));
	memcpy(l->type_size, from->type_size, sizeof(l->type_size));
	l->source = LAYOUT_SYMBOLS;
	return 0;
}

/* ---- both --------------------------------------------------------------------------------------------------------------------------- */

static unsigned minor_of(const char *version)
{
	const char *at = strstr(version, "go1."); /* "devel go1.28-1234abcd" too */
	unsigned minor = 0;

	return at && sscanf(at, "go1.%3u", &minor) == 1 ? minor : 0;
}

int layout_read(int fd, const char *name, struct go_layout **ret, struct err *err)
{
	struct go_layout *l;
	GElf_Ehdr header;
	uint64_t version_at;
	Elf *elf;

	(void)elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header)) {
		elf_end(elf);
		return err_set(err, 0, "%s is no ELF binary", name);
	}
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
		elf_end(elf);
		return err_set(err, 0, "%s is no 64-bit little-endian binary: memtide reads no others", name);
	}
	l = xcalloc(1, sizeof(*l));
	l->pie = header.e_type == ET_DYN;
	l->entry = header.e_entry;
	elf_go_version(elf, l->version, sizeof(l->version));
	elf_build_id(elf, l->build_id, sizeof(l->build_id));
	if (layout_from_dwarf(l, elf, fd))
		l->source = LAYOUT_DWARF;
	else if (layout_from_symbols(l, elf))
		l->source = LAYOUT_PARTIAL;
	else
		l->source = LAYOUT_NONE;
	version_at = l->source == LAYOUT_PARTIAL ? l->symbol[GO_BUILD_VERSION][0] : l->place[GO_BUILD_VERSION].address;
	if (!l->version[0] && version_at)
		elf_go_string(elf, version_at, l->version, sizeof(l->version));
	l->minor = minor_of(l->version);
	bool go = l->version[0] || l->source != LAYOUT_NONE || elf_has_section(elf, ".gopclntab") ||
		  elf_has_section(elf, ".note.go.buildid");
	elf_end(elf);
	if (!go) {
		free(l);
		return err_set(err, 0, "%s is no Go binary", name);
	}
	*ret = l;
	return 0;
}

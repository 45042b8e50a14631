/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "gostate/heap_profile.h"

#define INLINED_MAX 64
#define MAPPINGS_MAX 64
#define STACK_ALL_MAX (1024 + INLINED_MAX)

/* profile.proto: field numbers of its messages. */
enum { PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE, PROFILE_MAPPING, PROFILE_LOCATION, PROFILE_FUNCTION, PROFILE_STRING,
	PROFILE_TIME_NS = 9, PROFILE_PERIOD_TYPE = 11, PROFILE_PERIOD = 12, PROFILE_DEFAULT_SAMPLE_TYPE = 14 };
enum { VALUE_TYPE = 1, VALUE_UNIT };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE, SAMPLE_LABEL };
enum { LABEL_KEY = 1, LABEL_NUMBER = 3, LABEL_UNIT = 4 };
enum { MAPPING_ID = 1, MAPPING_START, MAPPING_LIMIT, MAPPING_OFFSET, MAPPING_FILE, MAPPING_BUILD_ID, MAPPING_HAS_FUNCTIONS,
	MAPPING_HAS_FILES, MAPPING_HAS_LINES, MAPPING_HAS_INLINED };
enum { LOCATION_ID = 1, LOCATION_MAPPING, LOCATION_ADDRESS, LOCATION_LINE };
enum { LINE_FUNCTION = 1, LINE_LINE };
enum { FUNCTION_ID = 1, FUNCTION_NAME, FUNCTION_SYSTEM_NAME, FUNCTION_FILE };

struct bytes {
	unsigned char *v; /* owned */
	size_t n, size;
};

/* Texts and numbers to the number that each first got, by open addressing. */
struct table {
	uint64_t *hash; /* owned; 0: free */
	uint64_t *key;  /* owned */
	uint64_t *id;   /* owned */
	size_t n, size;
};

struct mapping {
	uint64_t start, limit, offset;
	char file[1024];
};

struct writer {
	struct bytes out, message, inner;
	const struct symbols *sym;
	struct table strings, functions, locations;
	uint64_t n_strings;
	struct mapping *mappings; /* owned */
	size_t n_mappings;
};

/* ---- protobuf ---------------------------------------------------------------------------------------------------------------------- */

static void put(struct bytes *b, const void *v, size_t n)
{
	if (b->size - b->n < n) {
		while (b->size - b->n < n)
			b->size = b->size ? b->size * 2 : 4096;
		b->v = xreallocarray(b->v, b->size, 1);
	}
	memcpy(b->v + b->n, v, n);
	b->n += n;
}

static void put_varint(struct bytes *b, uint64_t v)
{
	unsigned char raw[10];
	size_t n = 0;

	do {
		raw[n++] = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		v >>= 7;
	} while (v);
	put(b, raw, n);
}

static void put_number(struct bytes *b, int field, uint64_t v)
{
	put_varint(b, (uint64_t)field << 3);
	put_varint(b, v);
}

static void put_bytes(struct bytes *b, int field, const void *v, size_t n)
{
	put_varint(b, (uint64_t)field << 3 | 2);
	put_varint(b, n);
	put(b, v, n);
}

/* A message that was put together in `from`, which is empty then. */
static void put_message(struct bytes *b, int field, struct bytes *from)
{
	put_bytes(b, field, from->v ? (const void *)from->v : "", from->n);
	from->n = 0;
}

/* ---- numbers for texts, functions and places -------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15ULL;
	return (x ^ x >> 29) | 1;
}

static uint64_t hash_text(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3ULL;
	return mix(h);
}

static void table_done(struct table *t)
{
	free(t->hash);
	free(t->key);
	free(t->id);
}

static void insert(struct table *t, uint64_t hash, uint64_t key, uint64_t id)
{
	size_t i = hash & (t->size - 1);

	while (t->hash[i])
		i = (i + 1) & (t->size - 1);
	t->hash[i] = hash;
	t->key[i] = key;
	t->id[i] = id;
	t->n++;
}

static void grow(struct table *t)
{
	struct table old = *t;

	if (t->n * 2 < t->size)
		return;
	t->size = t->size ? t->size * 2 : 1024;
	t->n = 0;
	t->hash = xcalloc(t->size, 8);
	t->key = xcalloc(t->size, 8);
	t->id = xcalloc(t->size, 8);
	for (size_t i = 0; i < old.size; i++)
		if (old.hash[i])
			insert(t, old.hash[i], old.key[i], old.id[i]);
	table_done(&old);
}

/* The number of a text in the string table; its content is compared, the key is its address. */
static uint64_t text_id(struct writer *w, const char *s)
{
	struct table *t = &w->strings;
	uint64_t hash = hash_text(s);

	grow(t);
	for (size_t i = hash & (t->size - 1); t->hash[i]; i = (i + 1) & (t->size - 1))
		if (t->hash[i] == hash && !strcmp((const char *)(uintptr_t)t->key[i], s))
			return t->id[i];
	insert(t, hash, (uint64_t)(uintptr_t)s, w->n_strings);
	put_bytes(&w->out, PROFILE_STRING, s, strlen(s));
	return w->n_strings++;
}

/* false: a new one, with the number that comes next. */
static bool known(struct table *t, uint64_t key, uint64_t *ret_id)
{
	uint64_t hash = mix(key);

	grow(t);
	for (size_t i = hash & (t->size - 1); t->hash[i]; i = (i + 1) & (t->size - 1))
		if (t->key[i] == key) {
			*ret_id = t->id[i];
			return true;
		}
	*ret_id = t->n + 1;
	insert(t, hash, key, *ret_id);
	return false;
}

static uint64_t function_id(struct writer *w, const struct code_place *p)
{
	struct bytes message = { 0 };
	uint64_t name = text_id(w, p->function), file = text_id(w, p->file), id;

	if (known(&w->functions, name << 32 | file, &id))
		return id;
	put_number(&message, FUNCTION_ID, id);
	put_number(&message, FUNCTION_NAME, name);
	put_number(&message, FUNCTION_SYSTEM_NAME, name);
	put_number(&message, FUNCTION_FILE, file);
	put_message(&w->out, PROFILE_FUNCTION, &message);
	free(message.v);
	return id;
}

static size_t mapping_of(const struct writer *w, uint64_t pc)
{
	for (size_t i = 0; i < w->n_mappings; i++)
		if (pc >= w->mappings[i].start && pc < w->mappings[i].limit)
			return i + 1;
	return 0;
}

/* A place: an address, and the n calls that were inlined there, innermost first. */
static uint64_t location_id(struct writer *w, uint64_t pc, const struct code_place *frames, size_t n)
{
	uint64_t id, functions[INLINED_MAX];
	size_t mapping = mapping_of(w, pc);

	if (known(&w->locations, pc << 7 | n, &id))
		return id;
	for (size_t i = 0; i < n; i++)
		functions[i] = function_id(w, &frames[i]);
	w->message.n = w->inner.n = 0;
	put_number(&w->message, LOCATION_ID, id);
	if (mapping)
		put_number(&w->message, LOCATION_MAPPING, mapping);
	put_number(&w->message, LOCATION_ADDRESS, pc);
	for (size_t i = 0; i < n; i++) {
		put_number(&w->inner, LINE_FUNCTION, functions[i]);
		put_number(&w->inner, LINE_LINE, frames[i].line);
		put_message(&w->message, LOCATION_LINE, &w->inner);
	}
	put_message(&w->out, PROFILE_LOCATION, &w->message);
	return id;
}

/* ---- the profile ------------------------------------------------------------------------------------------------------------------- */

static void put_value_type(struct writer *w, int field, const char *type, const char *unit)
{
	uint64_t type_id = text_id(w, type), unit_id = text_id(w, unit);

	w->message.n = 0;
	put_number(&w->message, VALUE_TYPE, type_id);
	put_number(&w->message, VALUE_UNIT, unit_id);
	put_message(&w->out, field, &w->message);
}

static void read_mappings(struct writer *w, pid_t pid)
{
	char path[64], line[1400];
	FILE *f;

	w->mappings = xcalloc(MAPPINGS_MAX, sizeof(w->mappings[0]));
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	while (f && w->n_mappings < MAPPINGS_MAX && fgets(line, sizeof(line), f)) {
		struct mapping *m = &w->mappings[w->n_mappings];
		unsigned long start, limit, offset;
		char rights[8];

		m->file[0] = '\0';
		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %1023[^\n]", &start, &limit, rights, &offset, m->file) < 4 || !strchr(rights, 'x') ||
		    m->file[0] != '/')
			continue;
		m->start = start;
		m->limit = limit;
		m->offset = offset;
		w->n_mappings++;
	}
	if (f)
		(void)fclose(f);
}

static void put_mappings(struct writer *w, const char *build_id)
{
	for (size_t i = 0; i < w->n_mappings; i++) {
		const struct mapping *m = &w->mappings[i];
		uint64_t file = text_id(w, m->file), id = i == 0 ? text_id(w, build_id) : 0;

		w->message.n = 0;
		put_number(&w->message, MAPPING_ID, i + 1);
		put_number(&w->message, MAPPING_START, m->start);
		put_number(&w->message, MAPPING_LIMIT, m->limit);
		put_number(&w->message, MAPPING_OFFSET, m->offset);
		put_number(&w->message, MAPPING_FILE, file);
		put_number(&w->message, MAPPING_BUILD_ID, id);
		for (int field = MAPPING_HAS_FUNCTIONS; field <= MAPPING_HAS_INLINED; field++)
			put_number(&w->message, field, 1);
		put_message(&w->out, PROFILE_MAPPING, &w->message);
	}
}

static bool is_runtime(const char *function)
{
	return !strncmp(function, "runtime.", 8) || !strncmp(function, "internal/runtime/", 17);
}

/* Where the stack leaves the runtime's own functions, as runtime/pprof cuts it; 0 where it never does. */
static size_t first_shown(const struct heap_site *s, const struct symbols *sym)
{
	for (size_t i = 0; i < s->n_stack; i++) {
		struct code_place p = symbols_place(sym, s->stack[i] - 1);

		if (p.function[0] && !is_runtime(p.function))
			return i;
	}
	return 0;
}

struct code_place heap_site_place(const struct heap_site *site, const struct symbols *sym)
{
	return site->n_stack ? symbols_place(sym, site->stack[first_shown(site, sym)] - 1) : CODE_PLACE_NONE;
}

static bool left_out(const char *function)
{
	/* The end of every stack; and, in 1.11, a mark that a part of the calls inlined at the address before is left out. */
	return !strcmp(function, "runtime.goexit") || !strcmp(function, "runtime.skipPleaseUseCallersFrames");
}

/* How many of the stack's addresses from at on are the calls inlined at the first of them: from 1.12 on each has one. */
static size_t inlined_together(const struct heap_site *s, size_t at, const struct symbols *sym, const struct code_place *frames, size_t n)
{
	size_t k = 1;

	for (; k < n && at + k < s->n_stack; k++) {
		struct code_place p = symbols_place(sym, s->stack[at + k] - 1);

		if (p.function != frames[k].function || p.line != frames[k].line)
			break;
	}
	return k;
}

static void put_sample(struct writer *w, const struct heap_site *s, bool inlined_apart, uint64_t bytes_text)
{
	uint64_t locations[STACK_ALL_MAX];
	size_t n = 0, next;

	for (size_t i = first_shown(s, w->sym); i < s->n_stack && n < STACK_ALL_MAX; i = next) {
		struct code_place frames[INLINED_MAX];
		uint64_t pc = s->stack[i] - 1;
		size_t lines = symbols_frames(w->sym, pc, frames, INLINED_MAX);

		next = i + 1;
		if (left_out(symbols_function(w->sym, pc)))
			continue;
		if (inlined_apart && lines > 1) {
			next = i + inlined_together(s, i, w->sym, frames, lines);
			/* Where the stack was cut off among them, the rest is known all the same. */
			if (next < s->n_stack)
				lines = next - i;
		}
		locations[n++] = location_id(w, pc, frames, lines);
	}
	w->message.n = w->inner.n = 0;
	for (size_t i = 0; i < n; i++)
		put_varint(&w->inner, locations[i]);
	put_message(&w->message, SAMPLE_LOCATION, &w->inner);
	put_varint(&w->inner, s->alloc_objects);
	put_varint(&w->inner, s->alloc_bytes);
	put_varint(&w->inner, s->inuse_objects);
	put_varint(&w->inner, s->inuse_bytes);
	put_message(&w->message, SAMPLE_VALUE, &w->inner);
	put_number(&w->inner, LABEL_KEY, bytes_text);
	put_number(&w->inner, LABEL_NUMBER, s->object_bytes);
	put_message(&w->message, SAMPLE_LABEL, &w->inner);
	put_message(&w->out, PROFILE_SAMPLE, &w->message);
}

/* gzip: 15 bits of window, and 16 for its header. */
static int compress_to(const struct bytes *b, const char *path, struct err *err)
{
	z_stream z = { .next_in = b->v, .avail_in = (uInt)b->n };
	cleanup_free unsigned char *out = NULL;
	uLong bound;

	if (b->n > UINT32_MAX / 2 || deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(err, EFBIG, "compress %s", path);
	bound = deflateBound(&z, b->n);
	out = xcalloc(1, bound);
	z.next_out = out;
	z.avail_out = (uInt)bound;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END) {
		(void)deflateEnd(&z);
		return err_set(err, 0, "compress %s", path);
	}
	bound = z.total_out;
	(void)deflateEnd(&z);
	return file_write(path, out, bound, err);
}

int heap_profile_write(const struct heap_profile *p, const struct symbols *sym, const struct go_target *t, int64_t time_ns,
		       const char *path, struct err *err)
{
	static const char *const types[][2] = { { "alloc_objects", "count" }, { "alloc_space", "bytes" }, { "inuse_objects", "count" },
		{ "inuse_space", "bytes" } };
	const struct go_layout *l = go_target_layout(t);
	struct writer w = { .sym = sym };
	uint64_t text;
	int r;

	(void)text_id(&w, ""); /* the first text is the empty one */
	for (size_t i = 0; i < 4; i++)
		put_value_type(&w, PROFILE_SAMPLE_TYPE, types[i][0], types[i][1]);
	put_value_type(&w, PROFILE_PERIOD_TYPE, "space", "bytes");
	put_number(&w.out, PROFILE_PERIOD, p->rate);
	put_number(&w.out, PROFILE_TIME_NS, (uint64_t)time_ns);
	text = text_id(&w, "inuse_space");
	put_number(&w.out, PROFILE_DEFAULT_SAMPLE_TYPE, text);
	read_mappings(&w, go_target_pid(t));
	put_mappings(&w, l->build_id);
	text = text_id(&w, "bytes");
	for (size_t i = 0; i < p->n_sites; i++)
		put_sample(&w, &p->sites[i], l->minor != 11, text);
	r = compress_to(&w.out, path, err);
	free(w.out.v);
	free(w.message.v);
	free(w.inner.v);
	free(w.mappings);
	table_done(&w.strings);
	table_done(&w.functions);
	table_done(&w.locations);
	return r;
}

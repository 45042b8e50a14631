/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/pclntab.h"

#include <string.h>

#define NAME_MAX_BYTES 65536
#define STEPS_MAX 1000000 /* of a table of values: one per change within a function */
#define INLINED_MAX 64    /* calls inlined into each other */
#define NONE UINT32_MAX

static bool u32_at(const struct pclntab *t, uint64_t at, uint32_t *ret)
{
	if (at > t->size || t->size - at < 4)
		return false;
	memcpy(ret, t->data + at, 4);
	return true;
}

static bool u64_at(const struct pclntab *t, uint64_t at, uint64_t *ret)
{
	if (at > t->size || t->size - at < 8)
		return false;
	memcpy(ret, t->data + at, 8);
	return true;
}

/* A text that ends within the table. */
static const char *text_at(const struct pclntab *t, uint64_t base, uint64_t offset)
{
	uint64_t at, room;

	if (__builtin_add_overflow(base, offset, &at) || at >= t->size)
		return "";
	room = t->size - at < NAME_MAX_BYTES ? t->size - at : NAME_MAX_BYTES;
	return memchr(t->data + at, '\0', room) ? (const char *)t->data + at : "";
}

/* ---- layouts --------------------------------------------------------------------------------------------------------------------- */

static bool new_entries(const struct pclntab *t)
{
	return t->magic == PCLN_MAGIC_118 || t->magic == PCLN_MAGIC_120;
}

/* Offsets in a function's record (runtime._func). Its first member is the entry: 8 bytes, 4 from 1.18 on. */
struct record_layout {
	uint8_t name, pcsp, pcfile, pcln, n_values, unit, n_data, data_size, end;
};

static struct record_layout record_layout(const struct pclntab *t)
{
	if (t->magic == PCLN_MAGIC_120)
		return (struct record_layout){ 4, 16, 20, 24, 28, 32, 43, 1, 44 };
	if (t->magic == PCLN_MAGIC_118)
		return (struct record_layout){ 4, 16, 20, 24, 28, 32, 39, 1, 40 };
	if (t->magic == PCLN_MAGIC_116)
		return (struct record_layout){ 8, 20, 24, 28, 32, 36, 43, 1, 44 };
	/* The unit is not looked at. In 1.11 the last count has 4 bytes, and stands where others have a byte for what the function is. */
	if (t->minor == 11)
		return (struct record_layout){ 8, 20, 24, 28, 32, 0, 36, 4, 40 };
	return (struct record_layout){ 8, 20, 24, 28, 32, 0, 39, 1, 40 };
}

/* A tree of inlined calls: which of a function's tables it is, and a node's members (runtime.inlinedCall). */
struct tree_layout {
	uint8_t value, data;               /* PCDATA_InlTreeIndex, FUNCDATA_InlTree */
	uint8_t size, name, caller_pc;     /* caller_pc 0: none, file and line of the call stand in the node */
	uint8_t parent, parent_size, file; /* parent_size 0: none, the parent is what the table says at caller_pc */
};

static bool tree_layout(const struct pclntab *t, struct tree_layout *ret)
{
	if (t->magic == PCLN_MAGIC_120)
		*ret = (struct tree_layout){ 2, 3, 16, 4, 8, 0, 0, 0 };
	else if (t->magic == PCLN_MAGIC_118 || t->magic == PCLN_MAGIC_116)
		*ret = (struct tree_layout){ 2, 3, 20, 12, 16, 0, 2, 0 };
	else if (t->minor >= 13)
		*ret = (struct tree_layout){ 2, 4, 20, 12, 16, 0, 2, 0 };
	else if (t->minor == 12)
		*ret = (struct tree_layout){ 1, 2, 20, 12, 16, 0, 2, 0 };
	else if (t->minor == 11)
		*ret = (struct tree_layout){ 1, 2, 16, 12, 0, 0, 4, 4 };
	else
		return false;
	return true;
}

static bool open_12(struct pclntab *t)
{
	uint64_t table;
	uint32_t files;

	if (!u64_at(t, 8, &t->n_functions) || t->n_functions > t->size / 16)
		return false;
	table = 16 + t->n_functions * 16 + 8;
	if (!u32_at(t, table, &files) || files >= t->size)
		return false;
	t->names = t->values = t->records = t->units = 0;
	t->files = files;
	return true;
}

bool pclntab_open(struct pclntab *t)
{
	uint64_t word[8] = { 0 }, skip, field;

	if (t->size < 80 || t->data[4] || t->data[5] || t->data[6] != 1 || t->data[7] != 8)
		return false;
	memcpy(&t->magic, t->data, 4);
	if (t->magic == PCLN_MAGIC_12)
		return open_12(t);
	if (t->magic != PCLN_MAGIC_116 && !new_entries(t))
		return false;
	memcpy(word, t->data + 8, sizeof(word));
	skip = new_entries(t) ? 3 : 2;
	field = new_entries(t) ? 4 : 8;
	t->n_functions = word[0];
	if (new_entries(t))
		t->text = word[2];
	t->names = word[skip];
	t->units = word[skip + 1];
	t->files = word[skip + 2];
	t->values = word[skip + 3];
	t->records = word[skip + 4];
	for (uint64_t i = skip; i < skip + 5; i++)
		if (word[i] >= t->size)
			return false;
	return t->n_functions > 0 && t->n_functions < (t->size - t->records) / (2 * field);
}

/* ---- functions -------------------------------------------------------------------------------------------------------------------- */

/* The i-th entry, or, with i == n_functions, where the last function ends. */
static bool entry_at(const struct pclntab *t, uint64_t i, uint64_t *ret)
{
	uint64_t table = t->magic == PCLN_MAGIC_12 ? 16 : t->records;
	uint32_t offset;

	if (!new_entries(t))
		return u64_at(t, table + i * 16, ret);
	if (!u32_at(t, table + i * 8, &offset))
		return false;
	*ret = t->text + offset;
	return true;
}

static bool record_at(const struct pclntab *t, uint64_t i, uint64_t *ret)
{
	uint64_t table = t->magic == PCLN_MAGIC_12 ? 16 : t->records, offset;
	uint32_t narrow;

	if (new_entries(t)) {
		if (!u32_at(t, table + i * 8 + 4, &narrow))
			return false;
		offset = narrow;
	} else if (!u64_at(t, table + i * 16 + 8, &offset)) {
		return false;
	}
	return !__builtin_add_overflow(t->records, offset, ret) && *ret < t->size;
}

struct function {
	uint64_t record, entry;
	struct record_layout at;
};

static bool find_function(const struct pclntab *t, uint64_t pc, struct function *ret)
{
	uint64_t low = 0, high = t->n_functions, first, end;

	if (!t->n_functions || !entry_at(t, 0, &first) || !entry_at(t, t->n_functions, &end) || pc < first || pc >= end)
		return false;
	/* The last one that starts at or before pc lies in [low, high). */
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2, entry;

		if (!entry_at(t, middle, &entry))
			return false;
		if (entry <= pc)
			low = middle;
		else
			high = middle;
	}
	ret->at = record_layout(t);
	return record_at(t, low, &ret->record) && entry_at(t, low, &ret->entry) && ret->entry <= pc;
}

static bool field(const struct pclntab *t, const struct function *f, uint8_t at, uint32_t *ret)
{
	return u32_at(t, f->record + at, ret);
}

static const char *name_of(const struct pclntab *t, uint32_t offset)
{
	return text_at(t, t->names, offset);
}

static bool varint(const struct pclntab *t, uint64_t *at, uint32_t *ret)
{
	*ret = 0;
	for (int shift = 0; shift < 35 && *at < t->size; shift += 7) {
		unsigned char c = t->data[(*at)++];

		*ret |= shift < 32 ? (uint32_t)(c & 0x7f) << shift : 0;
		if (!(c & 0x80))
			return true;
	}
	return false;
}

/* What a table of values says at a pc (debug/gosym: pcvalue); false: nothing. */
static bool value_at(const struct pclntab *t, const struct function *f, uint32_t table, uint64_t pc, int32_t *ret)
{
	uint64_t at, end = f->entry;
	uint32_t value = NONE; /* -1 */

	if (!table || __builtin_add_overflow(t->values, (uint64_t)table, &at))
		return false;
	for (int step = 0; step < STEPS_MAX; step++) {
		uint32_t change, length;

		if (!varint(t, &at, &change) || (change == 0 && step > 0) || !varint(t, &at, &length))
			return false;
		value += change & 1 ? ~(change >> 1) : change >> 1;
		end += length;
		if (pc < end) {
			*ret = (int32_t)value;
			return true;
		}
	}
	return false;
}

static const char *file_of(const struct pclntab *t, const struct function *f, int32_t number)
{
	uint32_t unit, offset;

	if (t->magic == PCLN_MAGIC_12) {
		if (number <= 0 || !u32_at(t, t->files + (uint64_t)number * 4, &offset))
			return "";
		return text_at(t, 0, offset);
	}
	if (number < 0 || !field(t, f, f->at.unit, &unit) || !u32_at(t, t->units + ((uint64_t)unit + (uint32_t)number) * 4, &offset) ||
	    offset == NONE)
		return "";
	return text_at(t, t->files, offset);
}

static void place_of(const struct pclntab *t, const struct function *f, uint64_t pc, struct pcln_frame *ret)
{
	uint32_t table;
	int32_t value;

	ret->file = "";
	ret->line = 0;
	if (field(t, f, f->at.pcfile, &table) && value_at(t, f, table, pc, &value))
		ret->file = file_of(t, f, value);
	if (field(t, f, f->at.pcln, &table) && value_at(t, f, table, pc, &value) && value > 0)
		ret->line = (unsigned)value;
}

/* ---- inlined calls ---------------------------------------------------------------------------------------------------------------- */

/* The address of a function's tree; false: it has none. */
static bool tree_of(const struct pclntab *t, const struct function *f, const struct tree_layout *tree, uint64_t *ret)
{
	uint64_t at = f->record + f->at.n_data;
	uint32_t n_values, n_data = 0, offset;

	if (!t->bytes || !field(t, f, f->at.n_values, &n_values) || n_values <= tree->value || n_values > 256 || at + f->at.data_size > t->size)
		return false;
	memcpy(&n_data, t->data + at, f->at.data_size);
	if (n_data <= tree->data || n_data > 256)
		return false;
	at = f->record + f->at.end + (uint64_t)n_values * 4;
	if (new_entries(t)) {
		if (!t->gofunc || !u32_at(t, at + (uint64_t)tree->data * 4, &offset) || offset == NONE)
			return false;
		return !__builtin_add_overflow(t->gofunc, (uint64_t)offset, ret);
	}
	at = (at + 7) & ~7ULL;
	return u64_at(t, at + (uint64_t)tree->data * 8, ret) && *ret;
}

struct node {
	const char *name;
	int32_t parent, caller_pc, file, line;
};

static bool node_of(const struct pclntab *t, const struct tree_layout *tree, uint64_t base, int32_t i, struct node *ret)
{
	unsigned char raw[20];
	int16_t narrow;
	uint32_t name;

	if (i < 0 || i > 1000000 || !t->bytes(t->arg, base + (uint64_t)i * tree->size, raw, tree->size))
		return false;
	*ret = (struct node){ .parent = -1 };
	memcpy(&name, raw + tree->name, 4);
	ret->name = name_of(t, name);
	if (tree->parent_size == 2) {
		memcpy(&narrow, raw + tree->parent, 2);
		ret->parent = narrow;
	} else if (tree->parent_size == 4) {
		memcpy(&ret->parent, raw + tree->parent, 4);
	}
	if (tree->caller_pc) {
		memcpy(&ret->caller_pc, raw + tree->caller_pc, 4);
	} else {
		memcpy(&ret->file, raw + tree->file, 4);
		memcpy(&ret->line, raw + tree->file + 4, 4);
	}
	return true;
}

size_t pclntab_frames(const struct pclntab *t, uint64_t pc, struct pcln_frame *ret, size_t max)
{
	struct tree_layout tree;
	struct function f;
	struct pcln_frame at;
	uint64_t base;
	uint32_t name, table;
	int32_t i = -1;
	size_t n = 0;

	if (max == 0 || !find_function(t, pc, &f))
		return 0;
	place_of(t, &f, pc, &at);
	if (tree_layout(t, &tree) && tree_of(t, &f, &tree, &base) && field(t, &f, (uint8_t)(f.at.end + tree.value * 4), &table)) {
		if (!value_at(t, &f, table, pc, &i))
			i = -1;
		for (struct node node; n < INLINED_MAX && n < max && node_of(t, &tree, base, i, &node);) {
			ret[n] = at;
			ret[n++].function = node.name;
			/* Where it was called from: the place of an instruction of the caller's that was kept for this, or told by the node. */
			if (tree.caller_pc) {
				if (node.caller_pc < 0)
					break;
				pc = f.entry + (uint64_t)node.caller_pc;
				place_of(t, &f, pc, &at);
			} else {
				at.file = file_of(t, &f, node.file);
				at.line = node.line > 0 ? (unsigned)node.line : 0;
			}
			if (tree.parent_size)
				i = node.parent;
			else if (!value_at(t, &f, table, pc, &i))
				i = -1;
		}
	}
	if (n < max) {
		ret[n] = at;
		ret[n++].function = field(t, &f, f.at.name, &name) ? name_of(t, name) : "";
	}
	return n;
}

const char *pclntab_function(const struct pclntab *t, uint64_t pc, uint64_t *ret_entry)
{
	struct function f;
	uint32_t name;

	if (!find_function(t, pc, &f))
		return "";
	if (ret_entry)
		*ret_entry = f.entry;
	return field(t, &f, f.at.name, &name) ? name_of(t, name) : "";
}

uint64_t pclntab_entry(const struct pclntab *t, uint64_t i)
{
	uint64_t entry;

	return i < t->n_functions && entry_at(t, i, &entry) ? entry : 0;
}

int64_t pclntab_frame_bytes(const struct pclntab *t, uint64_t pc)
{
	struct function f;
	uint32_t table;
	int32_t value;

	if (!find_function(t, pc, &f) || !field(t, &f, f.at.pcsp, &table) || !value_at(t, &f, table, pc, &value) || value < 0)
		return -1;
	return value;
}

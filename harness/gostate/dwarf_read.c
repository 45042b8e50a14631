/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/dwarf_read.h"

#include <dwarf.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "gostate/section.h"

#define WORK_MAX 10000000 /* entries, abbreviations and units looked at in one binary: Go's runtime has 50 000 entries */
#define CODES_MAX 65536      /* of one table */
#define SPECS_MAX 1000000    /* of one table */
#define DEPTH_MAX 1024
#define ENTRY_BYTES_MAX 65536
#define UNITS_MAX 1000000
#define DW_FORM_GNU_REF_ALT_ 0x1f20
#define DW_FORM_GNU_STRP_ALT_ 0x1f21

struct spec {
	uint32_t name, form;
	int64_t constant;
};

struct abbrev {
	uint32_t first, n; /* specs; n: 0 also for none */
	uint16_t tag;      /* 0: no such code */
	bool has_children;
	bool plain;         /* none of the attributes that matter, and of fixed size: */
	uint32_t bytes;
};

struct dwarf_info {
	struct section info, abbrev, addr;
	/* The table at table_offset. */
	uint64_t table_offset;
	uint8_t table_address_bytes, table_offset_bytes;
	bool has_table;
	struct abbrev *codes;
	size_t n_codes;
	struct spec *specs;
	size_t n_specs, room_specs;
	uint64_t work;
	/* Where the last unit that was looked for begins: references come in flocks. */
	struct dwarf_unit last;
	bool has_last;
};

/* ---- bytes -------------------------------------------------------------------------------------------------------------------------- */

bool leb128(const unsigned char **at, const unsigned char *end, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; *at < end; shift += 7) {
		unsigned char byte = *(*at)++;

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool signed_leb128(const unsigned char **at, const unsigned char *end, int64_t *ret)
{
	const unsigned char *from = *at;
	uint64_t value;

	if (!leb128(at, end, &value))
		return false;
	size_t bits = 7 * (size_t)(*at - from);
	if (bits < 64 && ((*at)[-1] & 0x40))
		value |= UINT64_MAX << bits;
	*ret = (int64_t)value;
	return true;
}

static bool fixed(const unsigned char **at, const unsigned char *end, size_t n, uint64_t *ret)
{
	*ret = 0;
	if ((size_t)(end - *at) < n)
		return false;
	memcpy(ret, *at, n < 8 ? n : 8);
	*at += n;
	return true;
}

/* ---- abbreviations ------------------------------------------------------------------------------------------------------------------ */

static bool matters(uint32_t attribute)
{
	return attribute == DW_AT_name || attribute == DW_AT_byte_size || attribute == DW_AT_data_member_location ||
	       attribute == DW_AT_type || attribute == DW_AT_location || attribute == DW_AT_addr_base || attribute == DW_AT_language;
}

/* Bytes of a form; SIZE_MAX: they vary. */
static size_t form_bytes(uint32_t form, const struct dwarf_unit *u)
{
	switch (form) {
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const:
		return 0;
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_flag:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
	case DW_FORM_ref_sup4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return 8;
	case DW_FORM_data16:
		return 16;
	case DW_FORM_addr:
		return u->address_bytes;
	case DW_FORM_ref_addr: /* as wide as an address in DWARF 2 */
		return u->version == 2 ? u->address_bytes : u->offset_bytes;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_sec_offset:
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_REF_ALT_:
	case DW_FORM_GNU_STRP_ALT_:
		return u->offset_bytes;
	default:
		return SIZE_MAX;
	}
}

static void weigh(struct dwarf_info *d, struct abbrev *a, const struct dwarf_unit *u)
{
	uint64_t sum = 0;

	a->plain = true;
	for (uint32_t i = 0; i < a->n; i++) {
		const struct spec *s = &d->specs[a->first + i];
		size_t n = form_bytes(s->form, u);

		if (matters(s->name) || n == SIZE_MAX)
			a->plain = false;
		sum += n == SIZE_MAX ? 0 : n;
	}
	a->bytes = (uint32_t)sum;
}

static bool read_specs(struct dwarf_info *d, const unsigned char **at, const unsigned char *end, struct abbrev *a)
{
	a->first = (uint32_t)d->n_specs;
	for (;;) {
		uint64_t name, form;
		struct spec s;

		if (!leb128(at, end, &name) || !leb128(at, end, &form) || name > UINT32_MAX || form > UINT32_MAX)
			return false;
		s = (struct spec){ (uint32_t)name, (uint32_t)form, 0 };
		if (form == DW_FORM_implicit_const && !signed_leb128(at, end, &s.constant))
			return false;
		if (!name && !form)
			break;
		if (d->n_specs == SPECS_MAX)
			return false;
		if (d->n_specs == d->room_specs) {
			d->room_specs = d->room_specs ? 2 * d->room_specs : 256;
			d->specs = xreallocarray(d->specs, d->room_specs, sizeof(d->specs[0]));
		}
		d->specs[d->n_specs++] = s;
	}
	a->n = (uint32_t)(d->n_specs - a->first);
	return true;
}

static bool load_table(struct dwarf_info *d, const struct dwarf_unit *u)
{
	const unsigned char *at, *end;

	if (d->has_table && d->table_offset == u->abbrev && d->table_address_bytes == u->address_bytes &&
	    d->table_offset_bytes == u->offset_bytes)
		return true;
	d->has_table = false;
	d->n_specs = 0;
	if (!section_need(&d->abbrev, d->abbrev.size) || u->abbrev >= d->abbrev.size)
		return false;
	if (!d->codes)
		d->codes = xcalloc(CODES_MAX, sizeof(d->codes[0]));
	memset(d->codes, 0, d->n_codes * sizeof(d->codes[0]));
	d->n_codes = 0;
	at = d->abbrev.bytes + u->abbrev;
	end = d->abbrev.bytes + d->abbrev.size;
	for (;;) {
		struct abbrev a = { 0 };
		uint64_t code, tag, children;

		if (!leb128(&at, end, &code))
			return false;
		if (code == 0)
			break;
		if (code >= CODES_MAX || !leb128(&at, end, &tag) || tag > UINT16_MAX || !fixed(&at, end, 1, &children) ||
		    !read_specs(d, &at, end, &a))
			return false;
		a.tag = (uint16_t)tag;
		a.has_children = children != 0;
		weigh(d, &a, u);
		d->codes[code] = a;
		d->work += 1 + a.n;
		if (code >= d->n_codes)
			d->n_codes = code + 1;
	}
	d->table_offset = u->abbrev;
	d->table_address_bytes = u->address_bytes;
	d->table_offset_bytes = u->offset_bytes;
	d->has_table = true;
	return true;
}

/* ---- entries ------------------------------------------------------------------------------------------------------------------------ */

struct attribute {
	uint64_t number; /* of a constant or reference: in .debug_info, absolute */
	const unsigned char *block;
	size_t block_len;
	const char *text;
	bool is_number, is_reference;
};

static bool take_block(const unsigned char **at, const unsigned char *end, uint64_t len, struct attribute *ret)
{
	if (len > (uint64_t)(end - *at))
		return false;
	ret->block = *at;
	ret->block_len = len;
	*at += len;
	return true;
}

static bool take_text(const unsigned char **at, const unsigned char *end, struct attribute *ret)
{
	const unsigned char *zero = memchr(*at, 0, (size_t)(end - *at));

	if (!zero)
		return false;
	ret->text = (const char *)*at;
	*at = zero + 1;
	return true;
}

static bool is_reference_in_unit(uint32_t form)
{
	return form == DW_FORM_ref1 || form == DW_FORM_ref2 || form == DW_FORM_ref4 || form == DW_FORM_ref8 || form == DW_FORM_ref_udata;
}

static bool take(const unsigned char **at, const unsigned char *end, const struct spec *s, const struct dwarf_unit *u,
		 struct attribute *ret)
{
	uint32_t form = s->form;
	uint64_t n;

	*ret = (struct attribute){ 0 };
	if (form == DW_FORM_indirect) {
		if (!leb128(at, end, &n) || n == DW_FORM_indirect || n == DW_FORM_implicit_const || n > UINT32_MAX)
			return false;
		form = (uint32_t)n;
	}
	switch (form) {
	case DW_FORM_string:
		return take_text(at, end, ret);
	case DW_FORM_block1:
		return fixed(at, end, 1, &n) && take_block(at, end, n, ret);
	case DW_FORM_block2:
		return fixed(at, end, 2, &n) && take_block(at, end, n, ret);
	case DW_FORM_block4:
		return fixed(at, end, 4, &n) && take_block(at, end, n, ret);
	case DW_FORM_block:
	case DW_FORM_exprloc:
		return leb128(at, end, &n) && take_block(at, end, n, ret);
	case DW_FORM_sdata:
		ret->is_number = true;
		return signed_leb128(at, end, (int64_t *)&ret->number);
	case DW_FORM_udata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
		if (!leb128(at, end, &ret->number))
			return false;
		break;
	case DW_FORM_implicit_const:
		ret->number = (uint64_t)s->constant;
		break;
	default: {
		size_t bytes = form_bytes(form, u);

		if (bytes == SIZE_MAX || !fixed(at, end, bytes, &ret->number))
			return false;
	}
	}
	ret->is_number = form == DW_FORM_udata || form == DW_FORM_implicit_const || form == DW_FORM_data1 || form == DW_FORM_data2 ||
			 form == DW_FORM_data4 || form == DW_FORM_data8 || form == DW_FORM_sec_offset;
	ret->is_reference = form == DW_FORM_ref_addr || is_reference_in_unit(form);
	if (is_reference_in_unit(form))
		ret->number += u->offset;
	return true;
}

static void note(struct dwarf_entry *e, uint32_t name, const struct attribute *a)
{
	if (name == DW_AT_name)
		e->name = a->text;
	else if (name == DW_AT_byte_size && a->is_number) {
		e->byte_size = a->number;
		e->has_byte_size = true;
	} else if (name == DW_AT_data_member_location) {
		const unsigned char *at = a->block, *end = at ? at + a->block_len : at;

		/* A number, or an expression that adds one to the struct's address. */
		if (a->is_number) {
			e->member_offset = a->number;
			e->has_member_offset = true;
		} else if (at && at < end && *at++ == DW_OP_plus_uconst)
			e->has_member_offset = leb128(&at, end, &e->member_offset);
	} else if (name == DW_AT_type && a->is_reference) {
		e->type = a->number;
		e->has_type = true;
	} else if (name == DW_AT_location) {
		e->location = a->block;
		e->location_len = a->block_len;
	} else if (name == DW_AT_addr_base && a->is_number)
		e->unit.addr_base = a->number;
	else if (name == DW_AT_language && a->is_number)
		e->language = a->number;
}

/* Whether more entries were read than any binary has: a hostile one. All reading fails from then on. */
static bool is_exhausted(const struct dwarf_info *d)
{
	return d->work > WORK_MAX;
}

bool dwarf_entry_at(struct dwarf_info *d, const struct dwarf_unit *unit, uint64_t offset, struct dwarf_entry *ret)
{
	const unsigned char *at, *end;
	const struct abbrev *a;
	uint64_t code, until = offset < unit->end && unit->end - offset > ENTRY_BYTES_MAX ? offset + ENTRY_BYTES_MAX : unit->end;

	if (offset < unit->first || offset >= unit->end || is_exhausted(d) || !section_need(&d->info, until) || !load_table(d, unit))
		return false;
	d->work++;
	at = d->info.bytes + offset;
	end = d->info.bytes + until;
	if (!leb128(&at, end, &code))
		return false;
	*ret = (struct dwarf_entry){ .unit = *unit, .offset = offset };
	if (code) {
		if (code >= d->n_codes || !d->codes[code].tag)
			return false;
		a = &d->codes[code];
		ret->tag = a->tag;
		ret->has_children = a->has_children;
		if (a->plain) {
			if (a->bytes > (uint64_t)(end - at))
				return false;
			at += a->bytes;
		}
		for (uint32_t i = 0; !a->plain && i < a->n; i++) {
			const struct spec *s = &d->specs[a->first + i];
			struct attribute v;

			if (!take(&at, end, s, unit, &v))
				return false;
			if (matters(s->name))
				note(ret, s->name, &v);
		}
	}
	ret->next = (uint64_t)(at - d->info.bytes);
	return true;
}

bool dwarf_sibling(struct dwarf_info *d, struct dwarf_entry *entry)
{
	struct dwarf_unit unit = entry->unit;
	int depth = 0;

	do {
		depth += entry->tag ? entry->has_children : -1;
		if (depth < 0 || depth > DEPTH_MAX || !dwarf_entry_at(d, &unit, entry->next, entry))
			return false;
	} while (depth > 0);
	return entry->tag != 0;
}

/* ---- units -------------------------------------------------------------------------------------------------------------------------- */

bool dwarf_unit_at(struct dwarf_info *d, uint64_t offset, struct dwarf_unit *ret)
{
	const unsigned char *at, *end;
	uint64_t length, version, type = DW_UT_compile, address_bytes, skip;
	struct dwarf_unit u = { .offset = offset, .offset_bytes = 4, .addr_base = 8 };

	d->work++;
	/* 12 + 2 + 1 + 1 + 8 + 8 + 8: the longest header. */
	if (is_exhausted(d) || offset >= d->info.size || !section_need(&d->info, d->info.size - offset < 40 ? d->info.size : offset + 40))
		return false;
	at = d->info.bytes + offset;
	end = d->info.bytes + (d->info.size - offset < 40 ? d->info.size : offset + 40);
	if (!fixed(&at, end, 4, &length))
		return false;
	if (length == UINT32_MAX) {
		u.offset_bytes = 8;
		if (!fixed(&at, end, 8, &length))
			return false;
	}
	if (length > d->info.size - (uint64_t)(at - d->info.bytes))
		return false;
	u.end = (uint64_t)(at - d->info.bytes) + length;
	if (!fixed(&at, end, 2, &version) || version < 2 || version > 5)
		return false;
	u.version = (uint16_t)version;
	if (version == 5) {
		if (!fixed(&at, end, 1, &type) || !fixed(&at, end, 1, &address_bytes) || !fixed(&at, end, u.offset_bytes, &u.abbrev))
			return false;
		if ((type == DW_UT_skeleton || type == DW_UT_split_compile) && !fixed(&at, end, 8, &skip))
			return false;
		if ((type == DW_UT_type || type == DW_UT_split_type) &&
		    (!fixed(&at, end, 8, &skip) || !fixed(&at, end, u.offset_bytes, &skip)))
			return false;
	} else if (!fixed(&at, end, u.offset_bytes, &u.abbrev) || !fixed(&at, end, 1, &address_bytes))
		return false;
	if (address_bytes != 8)
		return false;
	u.address_bytes = 8;
	u.first = (uint64_t)(at - d->info.bytes);
	if (u.first > u.end)
		return false;
	*ret = u;
	return true;
}

bool dwarf_unit_of(struct dwarf_info *d, uint64_t offset, struct dwarf_unit *ret)
{
	uint64_t at = d->has_last && d->last.offset <= offset ? d->last.offset : 0;

	for (int i = 0; i < UNITS_MAX && dwarf_unit_at(d, at, &d->last); i++) {
		d->has_last = true;
		if (offset < d->last.end) {
			*ret = d->last;
			return offset >= d->last.first;
		}
		at = d->last.end;
	}
	d->has_last = false;
	return false;
}

bool dwarf_address(struct dwarf_info *d, const struct dwarf_unit *unit, uint64_t index, uint64_t *ret)
{
	uint64_t offset;

	if (__builtin_mul_overflow(index, 8, &offset) || __builtin_add_overflow(offset, unit->addr_base, &offset) ||
	    offset > UINT64_MAX - 8 || !section_need(&d->addr, offset + 8))
		return false;
	memcpy(ret, d->addr.bytes + offset, 8);
	return true;
}

struct dwarf_info *dwarf_open(Elf *elf, int fd)
{
	struct dwarf_info *d = xcalloc(1, sizeof(*d));

	if (!section_open(&d->info, elf, fd, "debug_info") || !section_open(&d->abbrev, elf, fd, "debug_abbrev"))
		return dwarf_close(d);
	(void)section_open(&d->addr, elf, fd, "debug_addr");
	return d;
}

struct dwarf_info *dwarf_close(struct dwarf_info *d)
{
	section_close(&d->info);
	section_close(&d->abbrev);
	section_close(&d->addr);
	free(d->codes);
	free(d->specs);
	free(d);
	return NULL;
}

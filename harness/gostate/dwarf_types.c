/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/dwarf_types.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16     /* typedefs of typedefs, structs in structs */
#define MEMBERS_MAX 4096 /* of one struct */
#define BEHIND_MAX (1 << 20) /* bytes without a hit after which no more are expected, once all of `always` are found */

static int by_name(const void *a, const void *b)
{
	const struct dwarf_name *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool is_wanted_tag(int tag)
{
	return tag == DW_TAG_variable || tag == DW_TAG_structure_type || tag == DW_TAG_typedef;
}

/* How many of `always` are still missing after it. In a large binary one unit has the types of all packages, the runtime's first. */
static size_t look_into_unit(struct dwarf_info *d, const struct dwarf_entry *root, struct dwarf_name *v, size_t n, size_t missing)
{
	struct dwarf_entry child;
	uint64_t hit_at = root->next;

	if (!root->has_children || !dwarf_entry_at(d, &root->unit, root->next, &child) || child.tag == 0)
		return missing;
	do {
		if (!missing && child.offset - hit_at > BEHIND_MAX)
			break;
		struct dwarf_name key, *hit;

		if (!is_wanted_tag(child.tag) || !child.name || strncmp(child.name, "runtime.", 8) != 0)
			continue;
		key.name = child.name;
		hit = bsearch(&key, v, n, sizeof(*v), by_name);
		if (hit && !hit->found) {
			hit->found = true;
			hit->entry = child;
			hit_at = child.offset;
			missing -= hit->always;
		}
	} while (dwarf_sibling(d, &child));
	return missing;
}

/* Go's linker writes the runtime early: as one or two units named "runtime", or (1.11) all of Go as one unit with the name of
 * whichever package came first. */
void dwarf_find(struct dwarf_info *d, struct dwarf_name *v, size_t n)
{
	size_t missing = 0;

	for (size_t i = 0; i < n; i++)
		missing += v[i].always;
	for (int others = 0; others < 2 && missing; others++) {
		struct dwarf_unit unit;
		bool first = true;

		for (uint64_t at = 0; missing && dwarf_unit_at(d, at, &unit); at = unit.end) {
			struct dwarf_entry root;

			if (!dwarf_entry_at(d, &unit, unit.first, &root) || root.language != DW_LANG_Go)
				continue;
			bool likely = first || (root.name && !strcmp(root.name, "runtime"));
			first = false;
			if (likely == !others)
				missing = look_into_unit(d, &root, v, n, missing);
		}
	}
}

bool dwarf_variable_address(struct dwarf_info *d, const struct dwarf_entry *variable, uint64_t *ret)
{
	const unsigned char *at = variable->location, *end = at ? at + variable->location_len : NULL;
	struct dwarf_entry root;
	uint64_t index;

	if (!at || at == end)
		return false;
	if (*at == DW_OP_addr && end - at == 9) {
		memcpy(ret, at + 1, 8);
		return true;
	}
	if (*at != DW_OP_addrx && *at != DW_OP_GNU_addr_index)
		return false;
	at++;
	return leb128(&at, end, &index) && dwarf_entry_at(d, &variable->unit, variable->unit.first, &root) &&
	       dwarf_address(d, &root.unit, index, ret);
}

bool dwarf_type_of(struct dwarf_info *d, const struct dwarf_entry *entry, struct dwarf_entry *ret)
{
	struct dwarf_unit unit;
	uint64_t type = entry->type;

	return entry->has_type && dwarf_unit_of(d, type, &unit) && dwarf_entry_at(d, &unit, type, ret) && ret->tag;
}

static bool without_typedefs(struct dwarf_info *d, struct dwarf_entry *type)
{
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		struct dwarf_entry next;

		if (type->tag != DW_TAG_typedef)
			return true;
		if (!dwarf_type_of(d, type, &next))
			return false;
		*type = next;
	}
	return false;
}

/* Into a member of *type, which becomes its type. */
static bool enter(struct dwarf_info *d, struct dwarf_entry *type, const char *name, size_t len, uint64_t *offset)
{
	struct dwarf_entry child;

	if (!without_typedefs(d, type) || type->tag != DW_TAG_structure_type || !type->has_children ||
	    !dwarf_entry_at(d, &type->unit, type->next, &child) || child.tag == 0)
		return false;
	for (int i = 0; i < MEMBERS_MAX; i++) {
		if (child.tag == DW_TAG_member && child.name && strlen(child.name) == len && !memcmp(child.name, name, len)) {
			struct dwarf_entry inner;

			if (!child.has_member_offset || !dwarf_type_of(d, &child, &inner))
				return false;
			*offset += child.member_offset;
			*type = inner;
			return true;
		}
		if (!dwarf_sibling(d, &child))
			return false;
	}
	return false;
}

/* Go writes every type's size. */
static bool size_of(struct dwarf_info *d, const struct dwarf_entry *type, uint64_t *ret)
{
	struct dwarf_entry at = *type;

	if (!without_typedefs(d, &at))
		return false;
	*ret = at.has_byte_size ? at.byte_size : 8;
	return at.has_byte_size || at.tag == DW_TAG_pointer_type;
}

bool dwarf_follow(struct dwarf_info *d, const struct dwarf_entry *type, const char *path, uint64_t *ret_offset, uint64_t *ret_size)
{
	struct dwarf_entry at = *type;

	*ret_offset = 0;
	while (*path) {
		size_t len = strcspn(path, ".");

		if (!enter(d, &at, path, len, ret_offset))
			return false;
		path += len + (path[len] == '.');
	}
	for (int depth = 0; depth < DEPTH_MAX; depth++)
		if (!enter(d, &at, "value", 5, ret_offset) && !enter(d, &at, "s", 1, ret_offset))
			break;
	return size_of(d, &at, ret_size);
}

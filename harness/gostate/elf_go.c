/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/elf_go.h"

#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUILDINFO_MAGIC "\xff Go buildinf:"
#define BUILDINFO_MAGIC_LEN 14
#define BUILDINFO_INLINE 2 /* flags: the version stands in the section, from Go 1.18 on; else two pointers to strings do */

Elf_Scn *elf_section(Elf *elf, const char *name, GElf_Shdr *ret)
{
	size_t names;
	Elf_Scn *scn = NULL;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *has;

		if (gelf_getshdr(scn, ret) && (has = elf_strptr(elf, names, ret->sh_name)) && !strcmp(has, name))
			return scn;
	}
	return NULL;
}

bool elf_has_section(Elf *elf, const char *name)
{
	GElf_Shdr header;

	return elf_section(elf, name, &header) != NULL;
}

/* Bytes at an address of the file's, from its sections; false: none there. */
static bool bytes_at(Elf *elf, uint64_t address, void *ret, size_t n)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr h;

	while ((scn = elf_nextscn(elf, scn))) {
		Elf_Data *data;

		if (!gelf_getshdr(scn, &h) || h.sh_type == SHT_NOBITS || !(h.sh_flags & SHF_ALLOC) || address < h.sh_addr ||
		    address - h.sh_addr >= h.sh_size || h.sh_size - (address - h.sh_addr) < n)
			continue;
		data = elf_rawdata(scn, NULL);
		if (!data || !data->d_buf || data->d_size < h.sh_size)
			return false;
		memcpy(ret, (const char *)data->d_buf + (address - h.sh_addr), n);
		return true;
	}
	return false;
}

static void keep_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || (unsigned char)*s > '~')
			*s = '?';
}

void elf_go_string(Elf *elf, uint64_t address, char *ret, size_t n)
{
	uint64_t header[2]; /* text, length */

	ret[0] = '\0';
	if (!bytes_at(elf, address, header, sizeof(header)) || header[1] >= n || !bytes_at(elf, header[0], ret, header[1])) {
		ret[0] = '\0';
		return;
	}
	ret[header[1]] = '\0';
	keep_printable(ret);
}

static int by_symbol_name(const void *a, const void *b)
{
	const struct elf_symbol *x = a, *y = b;

	return strcmp(x->name, y->name);
}

bool elf_symbols(Elf *elf, struct elf_symbol *v, size_t n)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr h;
	bool found = false;

	while ((scn = elf_nextscn(elf, scn))) {
		Elf_Data *symbols, *text;

		if (!gelf_getshdr(scn, &h) || h.sh_type != SHT_SYMTAB || !(symbols = elf_getdata(scn, NULL)) ||
		    !(text = elf_getdata(elf_getscn(elf, h.sh_link), NULL)) || !text->d_buf || !text->d_size ||
		    ((const char *)text->d_buf)[text->d_size - 1])
			continue;
		for (size_t i = 0; i < symbols->d_size / sizeof(Elf64_Sym) && i < INT32_MAX; i++) {
			GElf_Sym sym;
			struct elf_symbol key, *hit;

			if (!gelf_getsym(symbols, (int)i, &sym))
				break;
			if (!sym.st_value || sym.st_name >= text->d_size)
				continue;
			key.name = (const char *)text->d_buf + sym.st_name;
			if (strncmp(key.name, "runtime.", 8) != 0 || !(hit = bsearch(&key, v, n, sizeof(*v), by_symbol_name)) || hit->address)
				continue;
			hit->address = sym.st_value;
			hit->size = sym.st_size;
			found = true;
		}
	}
	return found;
}

static void inline_version(const unsigned char *p, size_t len, char *ret, size_t n)
{
	size_t length = 0;

	/* A varint, then the text. */
	for (int shift = 0; len > 0 && shift < 28; shift += 7) {
		length |= (size_t)(*p & 0x7f) << shift;
		len--;
		if (!(*p++ & 0x80))
			break;
	}
	if (length >= n || length > len)
		return;
	memcpy(ret, p, length);
	ret[length] = '\0';
	keep_printable(ret);
}

void elf_go_version(Elf *elf, char *ret, size_t n)
{
	GElf_Shdr h;
	Elf_Scn *scn = elf_section(elf, ".go.buildinfo", &h);
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;
	const unsigned char *p = data ? data->d_buf : NULL;
	uint64_t pointer;

	ret[0] = '\0';
	if (!p || data->d_size < 32 || memcmp(p, BUILDINFO_MAGIC, BUILDINFO_MAGIC_LEN) != 0)
		return;
	if (p[15] & BUILDINFO_INLINE) {
		inline_version(p + 32, data->d_size - 32, ret, n);
		return;
	}
	memcpy(&pointer, p + 16, sizeof(pointer));
	elf_go_string(elf, pointer, ret, n);
}

void elf_build_id(Elf *elf, char *ret, size_t n)
{
	static const char *const sections[] = { ".note.go.buildid", ".note.gnu.build-id" };

	ret[0] = '\0';
	for (int i = 0; i < 2 && !ret[0]; i++) {
		GElf_Shdr h;
		Elf_Scn *scn = elf_section(elf, sections[i], &h);
		Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;
		GElf_Nhdr note;
		size_t name, desc;

		if (!data || gelf_getnote(data, 0, &note, &name, &desc) == 0 || desc + note.n_descsz > data->d_size)
			continue;
		const unsigned char *text = (const unsigned char *)data->d_buf + desc;
		if (i == 0 && note.n_descsz < n) {
			memcpy(ret, text, note.n_descsz);
			ret[note.n_descsz] = '\0';
			keep_printable(ret);
		}
		for (size_t k = 0; i == 1 && k < note.n_descsz && 2 * k + 3 <= n; k++)
			snprintf(ret + 2 * k, 3, "%02x", text[k]);
	}
}

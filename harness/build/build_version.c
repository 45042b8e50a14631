/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build_version.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"
#include "build/program.h"

/* debug/buildinfo of the Go tree describes the format. */
static const char info_magic[14] = "\xff Go buildinf:";
#define INFO_HEADER	 32
#define INFO_BIG_ENDIAN	 1
#define INFO_INLINE	 2
#define VERSION_MAX	 256
#define MODULE_MAX	 (4U << 20)
#define MODULE_SENTINEL 16 /* bytes before and after the module information, by which tools find it in a process */

struct image {
	Elf *elf; /* owned */
	bool big_endian;
	size_t word; /* 4 or 8 */
};

static void image_done(struct image *im)
{
	if (im->elf)
		(void)elf_end(im->elf);
}

/* n bytes at a virtual address, if the file has them; NULL where no section covers them. Borrowed from the Elf. */
static const unsigned char *bytes_at(const struct image *im, uint64_t addr, uint64_t n)
{
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(im->elf, scn));) {
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh) || !(sh.sh_flags & SHF_ALLOC) || sh.sh_type == SHT_NOBITS)
			continue;
		if (addr < sh.sh_addr || addr - sh.sh_addr >= sh.sh_size || n > sh.sh_size - (addr - sh.sh_addr))
			continue;
		Elf_Data *d = elf_rawdata(scn, NULL);
		uint64_t off = addr - sh.sh_addr;

		if (!d || !d->d_buf || off > d->d_size || n > d->d_size - off)
			continue;
		return (const unsigned char *)d->d_buf + off;
	}
	return NULL;
}

static uint64_t word_of(const struct image *im, const unsigned char *p)
{
	uint64_t v = 0;

	for (size_t i = 0; i < im->word; i++)
		v = v << 8 | p[im->big_endian ? i : im->word - 1 - i];
	return v;
}

/* What the loader will write at addr in a position-independent executable: *ret from the relative relocation there. */
static bool relocated(const struct image *im, uint64_t addr, uint64_t *ret)
{
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(im->elf, scn));) {
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_RELA || !(sh.sh_flags & SHF_ALLOC) || !sh.sh_entsize)
			continue;
		Elf_Data *d = elf_getdata(scn, NULL);
		uint64_t n = d ? d->d_size / sh.sh_entsize : 0;

		for (uint64_t i = 0; i < n && i < INT32_MAX; i++) {
			GElf_Rela rela;

			if (!gelf_getrela(d, (int)i, &rela) || rela.r_offset != addr)
				continue;
			if (GELF_R_TYPE(rela.r_info) != R_X86_64_RELATIVE && GELF_R_TYPE(rela.r_info) != R_AARCH64_RELATIVE)
				continue;
			*ret = (uint64_t)rela.r_addend;
			return true;
		}
	}
	return false;
}

static bool pointer_at(const struct image *im, uint64_t addr, uint64_t *ret)
{
	const unsigned char *p = bytes_at(im, addr, im->word);

	if (relocated(im, addr, ret))
		return true;
	if (!p)
		return false;
	*ret = word_of(im, p);
	return true;
}

struct text {
	const unsigned char *p; /* borrowed from the Elf; NULL: there is none */
	uint64_t len;
};

/* Go's string header at addr: a pointer and a length. NULL where it leads nowhere. */
static struct text go_string_at(const struct image *im, uint64_t addr, uint64_t max)
{
	const unsigned char *p = bytes_at(im, addr, 2 * im->word);
	uint64_t start, len;

	if (!p || !pointer_at(im, addr, &start))
		return (struct text){ 0 };
	len = word_of(im, p + im->word);
	if (len == 0 || len > max)
		return (struct text){ 0 };
	return (struct text){ bytes_at(im, start, len), len };
}

/* A length as a varint, then the bytes; moves *p behind them. NULL where it does not fit. */
static struct text inline_string(const unsigned char **p, const unsigned char *end, uint64_t max)
{
	uint64_t len = 0;
	const unsigned char *start;

	for (unsigned shift = 0;; shift += 7) {
		if (*p >= end || shift > 28)
			return (struct text){ 0 };
		unsigned char c = *(*p)++;
		len |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			break;
	}
	if (len > max || len > (uint64_t)(end - *p))
		return (struct text){ 0 };
	start = *p;
	*p += len;
	return (struct text){ start, len };
}

/* Caller frees; NULL for none. Bytes after a 0 are lost: neither text has one. */
static char *copy_text(struct text t)
{
	return t.p && t.len ? strf("%.*s", (int)t.len, (const char *)t.p) : NULL;
}

/* The sentinels do hold a 0, so they go before anything is taken for text. */
static char *copy_module(struct text t)
{
	if (!t.p || t.len <= 2 * MODULE_SENTINEL || t.p[t.len - MODULE_SENTINEL - 1] != '\n')
		return NULL;
	return copy_text((struct text){ t.p + MODULE_SENTINEL, t.len - 2 * MODULE_SENTINEL });
}

static bool read_info_section(const struct image *im, Elf_Scn *scn, const GElf_Shdr *sh, struct build_info *ret)
{
	Elf_Data *d = elf_rawdata(scn, NULL);

	if (!d || !d->d_buf || d->d_size < INFO_HEADER || memcmp(d->d_buf, info_magic, sizeof(info_magic)) != 0)
		return false;

	const unsigned char *start = d->d_buf, *p = start + INFO_HEADER;

	if (start[15] & INFO_INLINE) {
		ret->version = copy_text(inline_string(&p, start + d->d_size, VERSION_MAX));
		ret->module = ret->version ? copy_module(inline_string(&p, start + d->d_size, MODULE_MAX)) : NULL;
	} else if (start[14] == im->word && !(start[15] & INFO_BIG_ENDIAN) == !im->big_endian) {
		uint64_t version, module;

		if (pointer_at(im, sh->sh_addr + 16, &version))
			ret->version = copy_text(go_string_at(im, version, VERSION_MAX));
		if (ret->version && pointer_at(im, sh->sh_addr + 16 + im->word, &module))
			ret->module = copy_module(go_string_at(im, module, MODULE_MAX));
	}
	return ret->version != NULL;
}

static bool from_info_section(const struct image *im, struct build_info *ret)
{
	size_t names;

	if (elf_getshdrstrndx(im->elf, &names) != 0)
		return false;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(im->elf, scn));) {
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_PROGBITS)
			continue;
		const char *name = elf_strptr(im->elf, names, sh.sh_name);
		if (name && !strcmp(name, ".go.buildinfo"))
			return read_info_section(im, scn, &sh, ret);
	}
	return false;
}

static bool from_symbol(const struct image *im, struct build_info *ret)
{
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(im->elf, scn));) {
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_SYMTAB || !sh.sh_entsize)
			continue;
		Elf_Data *d = elf_getdata(scn, NULL);
		uint64_t n = d ? d->d_size / sh.sh_entsize : 0;

		for (uint64_t i = 0; i < n && i < INT32_MAX; i++) {
			GElf_Sym sym;
			const char *name;

			if (!gelf_getsym(d, (int)i, &sym) || GELF_ST_TYPE(sym.st_info) != STT_OBJECT)
				continue;
			name = elf_strptr(im->elf, sh.sh_link, sym.st_name);
			if (name && !strcmp(name, "runtime.buildVersion"))
				return (ret->version = copy_text(go_string_at(im, sym.st_value, VERSION_MAX))) != NULL;
		}
	}
	return false;
}

static int image_open(const char *path, int fd, struct image *im, struct err *err)
{
	struct stat st;
	GElf_Ehdr eh;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return err_set(err, 0, "libelf does not know its own version of ELF");
	if (fstat(fd, &st) < 0)
		return err_set(err, errno, "cannot read %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, 0, "%s is no executable file", path);
	im->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!im->elf || elf_kind(im->elf) != ELF_K_ELF || !gelf_getehdr(im->elf, &eh))
		return err_set(err, 0, "%s is no ELF executable", path);
	im->big_endian = eh.e_ident[EI_DATA] == ELFDATA2MSB;
	im->word = eh.e_ident[EI_CLASS] == ELFCLASS64 ? 8 : 4;
	return 0;
}

int build_info_read(const char *binary, struct build_info *ret, struct err *err)
{
	cleanup_close int fd = open(binary, O_RDONLY | O_CLOEXEC);
	__attribute__((cleanup(image_done))) struct image im = { 0 };
	struct build_info found = { 0 };

	if (fd < 0)
		return err_set(err, errno, "cannot open %s", binary);

	int r = image_open(binary, fd, &im, err);
	if (r < 0)
		return r;
	if (!from_info_section(&im, &found)) {
		build_info_done(&found);
		if (!from_symbol(&im, &found))
			return err_set(err, 0,
				       "cannot tell which Go release built %s: neither .go.buildinfo nor runtime.buildVersion is in it",
				       binary);
	}
	*ret = found;
	return 0;
}

void build_info_done(struct build_info *b)
{
	free(b->version);
	free(b->module);
	*b = (struct build_info){ 0 };
}

char *build_info_setting(const struct build_info *b, const char *key)
{
	size_t key_len = strlen(key);

	for (const char *line = b->module; line && *line; line = strchrnul(line, '\n'), line += *line == '\n') {
		if (strncmp(line, "build\t", 6) != 0 || strncmp(line + 6, key, key_len) != 0 || line[6 + key_len] != '=')
			continue;
		line += 6 + key_len + 1;
		return strf("%.*s", (int)strcspn(line, "\n"), line);
	}
	return NULL;
}

int build_version_read(const char *binary, char **ret, struct err *err)
{
	struct build_info b;
	int r = build_info_read(binary, &b, err);

	if (r < 0)
		return r;
	*ret = TAKE(b.version);
	build_info_done(&b);
	return 0;
}

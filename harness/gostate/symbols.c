/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "gostate/pclntab.h"
#include "gostate/target_parts.h"

#define TABLE_MAX_BYTES (512ULL << 20)
#define SEARCH_MAX_BYTES (256ULL << 20) /* of a section that is looked through */
#define FRAMES_MAX 64
#define SEGMENTS_MAX 32
#define MODULE_BYTES 512

struct segment {
	uint64_t address, offset, size; /* of the file's bytes */
};

struct symbols {
	int fd;
	unsigned char *bytes; /* owned: the table */
	uint64_t address;     /* of the table, in the file's address space */
	uint64_t bias;
	struct pclntab table;
	struct segment segments[SEGMENTS_MAX];
	size_t n_segments;
	char root[512]; /* where the standard library's files were compiled: "/usr/local/go/src/"; "": cut off by -trimpath */
};

/* ---- bytes of the file ------------------------------------------------------------------------------------------------------------ */

static bool file_bytes(int fd, uint64_t offset, void *ret, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t got = pread(fd, (char *)ret + have, n - have, (off_t)(offset + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		have += (size_t)got;
	}
	return true;
}

static bool bytes_at(void *arg, uint64_t address, void *ret, size_t n)
{
	const struct symbols *s = arg;

	for (size_t i = 0; i < s->n_segments; i++) {
		const struct segment *g = &s->segments[i];

		if (address >= g->address && address - g->address < g->size && g->size - (address - g->address) >= n)
			return file_bytes(s->fd, g->offset + (address - g->address), ret, n);
	}
	return false;
}

static void read_segments(struct symbols *s, Elf *elf)
{
	size_t n;

	if (elf_getphdrnum(elf, &n) != 0)
		return;
	for (size_t i = 0; i < n && i < INT32_MAX && s->n_segments < SEGMENTS_MAX; i++) {
		GElf_Phdr p;

		if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD && p.p_filesz > 0 && p.p_offset <= INT64_MAX - p.p_filesz)
			s->segments[s->n_segments++] = (struct segment){ p.p_vaddr, p.p_offset, p.p_filesz };
	}
}

/* The dynamic linker's part: x86-64 R_X86_64_RELATIVE. Calls act for each; stops where it returns false. */
static void each_relocation(Elf *elf, bool (*act)(void *arg, uint64_t address, uint64_t value), void *arg)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr h;

	while ((scn = elf_nextscn(elf, scn))) {
		Elf_Data *data;

		if (!gelf_getshdr(scn, &h) || h.sh_type != SHT_RELA || h.sh_entsize == 0 || !(data = elf_getdata(scn, NULL)))
			continue;
		for (size_t i = 0; i < data->d_size / h.sh_entsize && i < INT32_MAX; i++) {
			GElf_Rela r;

			if (!gelf_getrela(data, (int)i, &r))
				break;
			if (GELF_R_TYPE(r.r_info) == R_X86_64_RELATIVE && !act(arg, r.r_offset, (uint64_t)r.r_addend))
				return;
		}
	}
}

static bool relocate_table(void *arg, uint64_t address, uint64_t value)
{
	struct symbols *s = arg;

	if (address >= s->address && address - s->address < s->table.size && s->table.size - (address - s->address) >= 8)
		memcpy(s->bytes + (address - s->address), &value, 8);
	return true;
}

/* ---- the table -------------------------------------------------------------------------------------------------------------------- */

struct place_in_file {
	uint64_t address, offset, size;
};

/* Where a table begins within a section that holds other things too (a PIE linked by gcc: .data.rel.ro): at its magic number. */
static bool search_section(int fd, const GElf_Shdr *h, struct place_in_file *ret)
{
	cleanup_free unsigned char *bytes = NULL;
	struct pclntab t = { 0 };

	if (h->sh_size > SEARCH_MAX_BYTES || h->sh_size < 80)
		return false;
	bytes = xcalloc(1, h->sh_size);
	if (!file_bytes(fd, h->sh_offset, bytes, h->sh_size))
		return false;
	for (uint64_t at = (32 - h->sh_addr % 32) % 32; at + 80 <= h->sh_size; at += 32) {
		static const unsigned char after_magic[] = { 0xff, 0xff, 0xff, 0, 0, 1, 8 };

		if (memcmp(bytes + at + 1, after_magic, sizeof(after_magic)) != 0)
			continue;
		t = (struct pclntab){ .data = bytes + at, .size = h->sh_size - at };
		if (!pclntab_open(&t))
			continue;
		*ret = (struct place_in_file){ h->sh_addr + at, h->sh_offset + at, h->sh_size - at };
		return true;
	}
	return false;
}

static bool find_table(int fd, Elf *elf, struct place_in_file *ret)
{
	static const char *const own[] = { ".gopclntab", ".data.rel.ro.gopclntab" }, *const shared[] = { ".data.rel.ro", ".rodata" };
	size_t names;
	Elf_Scn *scn = NULL;
	GElf_Shdr h;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return false;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name = gelf_getshdr(scn, &h) ? elf_strptr(elf, names, h.sh_name) : NULL;

		if (!name || h.sh_type == SHT_NOBITS || h.sh_offset > INT64_MAX / 2 || h.sh_size > TABLE_MAX_BYTES)
			continue;
		for (int i = 0; i < 2; i++)
			if (!strcmp(name, own[i])) {
				*ret = (struct place_in_file){ h.sh_addr, h.sh_offset, h.sh_size };
				return true;
			}
	}
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name = gelf_getshdr(scn, &h) ? elf_strptr(elf, names, h.sh_name) : NULL;

		if (!name || h.sh_type == SHT_NOBITS || h.sh_offset > INT64_MAX / 2)
			continue;
		for (int i = 0; i < 2; i++)
			if (!strcmp(name, shared[i]) && search_section(fd, &h, ret))
				return true;
	}
	return false;
}

/* "slices.Sort[go.shape.[]int]" to "slices.Sort[...]", as the runtime prints it (funcNameForPrint). Names are apart from 1.16 on. */
static void shorten_names(unsigned char *names, size_t size)
{
	for (size_t at = 0; at < size;) {
		unsigned char *end = memchr(names + at, '\0', size - at), *name = names + at, *open, *close;

		if (!end)
			return;
		open = memchr(name, '[', (size_t)(end - name));
		close = open ? memrchr(name, ']', (size_t)(end - name)) : NULL;
		if (close && close - open > 4) {
			memcpy(open + 1, "...", 3);
			memmove(open + 4, close, (size_t)(end - close) + 1);
		}
		at = (size_t)(end - names) + 1;
	}
}

static int read_table(struct symbols *s, Elf *elf, unsigned minor, bool pie, struct err *err)
{
	struct place_in_file p;

	if (!find_table(s->fd, elf, &p))
		return err_set(err, 0, "no table of functions and lines in the binary");
	s->bytes = xcalloc(1, p.size ? p.size : 1);
	s->address = p.address;
	s->table = (struct pclntab){ .data = s->bytes, .size = p.size, .minor = minor, .bytes = bytes_at, .arg = s };
	if (!file_bytes(s->fd, p.offset, s->bytes, p.size))
		return err_set(err, 0, "the binary's table of functions and lines cannot be read");
	if (pie)
		each_relocation(elf, relocate_table, s);
	if (!pclntab_open(&s->table))
		return err_set(err, 0, "the binary's table of functions and lines is none that memtide knows");
	if (s->table.magic == PCLN_MAGIC_120 && s->table.units > s->table.names)
		shorten_names(s->bytes + s->table.names, s->table.units - s->table.names);
	return 0;
}

/* ---- the module ------------------------------------------------------------------------------------------------------------------- */

#define CANDIDATES_MAX 16

struct search {
	uint64_t value, address[CANDIDATES_MAX];
	size_t n;
};

static bool is_pointer_to_table(void *arg, uint64_t address, uint64_t value)
{
	struct search *search = arg;

	if (value == search->value)
		search->address[search->n++] = address;
	return search->n < CANDIDATES_MAX;
}

/* In a stripped binary: runtime.firstmoduledata begins with the table's address, and is nearly the only place that holds it. */
static void search_module(const struct symbols *s, Elf *elf, bool pie, struct search *ret)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr h;

	*ret = (struct search){ .value = s->address };
	if (pie)
		each_relocation(elf, is_pointer_to_table, ret);
	while (ret->n < CANDIDATES_MAX && (scn = elf_nextscn(elf, scn))) {
		cleanup_free uint64_t *words = NULL;

		if (!gelf_getshdr(scn, &h) || h.sh_type != SHT_PROGBITS || !(h.sh_flags & SHF_ALLOC) || (h.sh_flags & SHF_EXECINSTR) ||
		    h.sh_size < 8 || h.sh_size > SEARCH_MAX_BYTES || h.sh_offset > INT64_MAX / 2 || h.sh_addr == s->address)
			continue;
		words = xcalloc(h.sh_size / 8, 8);
		if (!file_bytes(s->fd, h.sh_offset, words, h.sh_size / 8 * 8))
			continue;
		for (uint64_t i = 0; i < h.sh_size / 8; i++)
			if (!is_pointer_to_table(ret, h.sh_addr + i * 8, words[i]))
				break;
	}
}

/* moduledata.text and gofunc: by DWARF, or by the release (runtime/symtab.go). */
static void module_offsets(const struct pclntab *t, const struct go_layout *l, uint32_t *ret_text, uint32_t *ret_gofunc)
{
	const struct go_member *text = &l->member[GO_MODULE_TEXT], *gofunc = &l->member[GO_MODULE_GOFUNC];

	*ret_text = text->size == 8 ? text->offset : t->magic == PCLN_MAGIC_12 ? 96 : 176;
	if (gofunc->size == 8)
		*ret_gofunc = gofunc->offset;
	else
		*ret_gofunc = t->magic == PCLN_MAGIC_118 ? 304 : t->magic != PCLN_MAGIC_120 || t->minor == 0 ? 0 : t->minor >= 27 ? 344 : 320;
}

/* False: the process does not have it yet, or what lies there is something else. */
static bool read_module(struct symbols *s, pid_t pid, const struct go_layout *l, uint64_t module)
{
	uint64_t words[MODULE_BYTES / 8], address = s->address + s->bias;
	struct iovec local = { words, sizeof(words) }, remote = { (void *)(uintptr_t)(module + s->bias), sizeof(words) };
	uint32_t at_text, at_gofunc;

	module_offsets(&s->table, l, &at_text, &at_gofunc);
	if (!module || at_text > MODULE_BYTES - 8 || at_gofunc > MODULE_BYTES - 8 ||
	    process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(words) || words[0] != address)
		return false;
	/* Then a slice that begins within the table: to 1.15 the table itself is that. */
	if (s->table.magic != PCLN_MAGIC_12 && words[1] != address + s->table.names)
		return false;
	if (s->table.magic == PCLN_MAGIC_118 || s->table.magic == PCLN_MAGIC_120)
		s->table.text = words[at_text / 8] - s->bias;
	if (at_gofunc)
		s->table.gofunc = words[at_gofunc / 8] - s->bias;
	return true;
}

static void find_text(struct symbols *s, pid_t pid, Elf *elf, const struct go_layout *l)
{
	struct search search;
	Elf_Scn *scn = NULL;
	size_t names;
	GElf_Shdr h;

	if (read_module(s, pid, l, l->place[GO_FIRST_MODULE].address))
		return;
	search_module(s, elf, l->pie, &search);
	for (size_t i = 0; i < search.n; i++)
		if (read_module(s, pid, l, search.address[i]))
			return;
	/* As the header says, to 1.25; then as it is without C code. */
	if (s->table.text || elf_getshdrstrndx(elf, &names) != 0)
		return;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name = gelf_getshdr(scn, &h) ? elf_strptr(elf, names, h.sh_name) : NULL;

		if (name && !strcmp(name, ".text"))
			s->table.text = h.sh_addr;
	}
}

static bool find_bias(struct symbols *s, pid_t pid, Elf *elf)
{
	char path[64];
	uint64_t entry;
	GElf_Ehdr header;

	if (!gelf_getehdr(elf, &header))
		return false;
	if (header.e_type != ET_DYN)
		return true;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	cleanup_close int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	entry = fd < 0 ? 0 : process_entry(fd);
	s->bias = entry - header.e_entry;
	return entry != 0;
}

/* ".../src/" of ".../src/runtime/proc.go" */
static void find_root(struct symbols *s)
{
	static const char tail[] = "runtime/proc.go";

	for (uint64_t i = 0; i < s->table.n_functions && i < 1000000; i++) {
		struct pcln_frame frames[FRAMES_MAX];
		uint64_t entry = pclntab_entry(&s->table, i);
		size_t n, len;

		if (strcmp(pclntab_function(&s->table, entry, NULL), "runtime.main") != 0)
			continue;
		n = pclntab_frames(&s->table, entry, frames, FRAMES_MAX);
		/* The last frame is the function itself. */
		len = n > 0 ? strlen(frames[n - 1].file) : 0;
		if (len >= sizeof(tail) && len < sizeof(s->root) && !strcmp(frames[n - 1].file + len - (sizeof(tail) - 1), tail))
			snprintf(s->root, sizeof(s->root), "%.*s", (int)(len - (sizeof(tail) - 1)), frames[n - 1].file);
		return;
	}
}

static int open_elf(struct symbols *s, pid_t pid, Elf *elf, const struct go_layout *l, struct err *err)
{
	int r;

	if (!elf || elf_kind(elf) != ELF_K_ELF || gelf_getclass(elf) != ELFCLASS64)
		return err_set(err, 0, "process %d: its binary is no 64-bit ELF file", (int)pid);
	if (!s->bias && !find_bias(s, pid, elf))
		return err_set(err, 0, "process %d: it is not told where its binary was loaded", (int)pid);
	read_segments(s, elf);
	r = read_table(s, elf, l->minor, l->pie, err);
	if (r < 0)
		return r;
	find_text(s, pid, elf, l);
	find_root(s);
	return 0;
}

/* fd: taken. bias: of a library; 0: of the program. */
static int open_file(int fd, uint64_t bias, pid_t pid, const struct go_layout *l, struct symbols **ret, struct err *err)
{
	struct symbols *s = xcalloc(1, sizeof(*s));
	Elf *elf;
	int r;

	s->fd = fd;
	s->bias = bias;
	(void)elf_version(EV_CURRENT);
	elf = elf_begin(s->fd, ELF_C_READ, NULL);
	r = open_elf(s, pid, elf, l, err);
	elf_end(elf);
	if (r < 0) {
		symbols_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int symbols_open_process(pid_t pid, const struct go_layout *l, struct symbols **ret, struct err *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(err, errno, "open %s", path) : open_file(fd, 0, pid, l, ret, err);
}

static int open_library(const struct go_target *t, struct symbols **ret, struct err *err)
{
	int fd = fcntl(t->library.fd, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? err_set(err, errno, "%s", t->library.path) : open_file(fd, t->bias, t->pid, t->layout, ret, err);
}

int symbols_open(const struct go_target *t, struct symbols **ret, struct err *err)
{
	struct symbols *s;
	int r = t->library.fd >= 0 ? open_library(t, &s, err) : symbols_open_process(t->pid, t->layout, &s, err);

	if (r < 0)
		return r;
	if (!go_target_is_same(t)) {
		symbols_free(s);
		return err_set(err, ESRCH, "process %d", (int)go_target_pid(t));
	}
	*ret = s;
	return 0;
}

struct symbols *symbols_free(struct symbols *s)
{
	if (s) {
		if (s->fd >= 0)
			(void)close(s->fd);
		free(s->bytes);
		free(s);
	}
	return NULL;
}

/* ---- answers ---------------------------------------------------------------------------------------------------------------------- */

size_t symbols_frames(const struct symbols *s, uint64_t pc, struct code_place *ret, size_t max)
{
	struct pcln_frame frames[FRAMES_MAX];
	size_t n = pclntab_frames(&s->table, pc - s->bias, frames, max < FRAMES_MAX ? max : FRAMES_MAX);

	for (size_t i = 0; i < n; i++)
		ret[i] = (struct code_place){ frames[i].function, frames[i].file, frames[i].line };
	return n;
}

struct code_place symbols_place(const struct symbols *s, uint64_t pc)
{
	struct code_place place;

	return symbols_frames(s, pc, &place, 1) == 1 ? place : CODE_PLACE_NONE;
}

const char *symbols_function(const struct symbols *s, uint64_t pc)
{
	return pclntab_function(&s->table, pc - s->bias, NULL);
}

int64_t symbols_frame_bytes(const struct symbols *s, uint64_t pc)
{
	return pclntab_frame_bytes(&s->table, pc - s->bias);
}

/* Where -trimpath cut the folder off: first elements of the library's import paths; a module's own path has a dot there. */
static bool is_standard_package(const char *function)
{
	static const char *const first[] = { "archive", "bufio", "bytes", "cmp", "compress", "container", "context", "crypto", "database",
		"debug", "embed", "encoding", "errors", "expvar", "flag", "fmt", "go", "hash", "html", "image", "index", "internal", "io",
		"iter", "log", "maps", "math", "mime", "net", "os", "path", "plugin", "reflect", "regexp", "runtime", "slices", "sort",
		"strconv", "strings", "structs", "sync", "syscall", "testing", "text", "time", "type", "unicode", "unique", "unsafe",
		"vendor", "weak" };
	size_t len = strcspn(function, "/.");

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (strlen(first[i]) == len && !memcmp(first[i], function, len))
			return true;
	return false;
}

bool symbols_is_standard(const struct symbols *s, const struct code_place *place)
{
	if (s->root[0])
		return !strncmp(place->file, s->root, strlen(s->root));
	return is_standard_package(place->function);
}

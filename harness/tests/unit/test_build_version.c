/* SPDX-License-Identifier: Apache-2.0
 *
 * What Go executables say of themselves: made-up ELF files for the format's corners, real Go commands for the truth.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "build/build_version.h"
#include "build/program.h"
#include "build/toolchain.h"
#include "build/toolchain_files.h"
#include "build/user_go.h"

#define ADDR 0x10000UL /* where the made-up section lies */

static char dir[] = "/tmp/memtide-test.XXXXXX";
static char *elf_path; /* DIR/elf */

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	elf_path = strf("%s/elf", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	free(elf_path);
	return folder_remove(dir, NULL);
}

static Elf_Scn *add_section(Elf *e, GElf_Word name, GElf_Word type, GElf_Xword flags, GElf_Addr addr, void *data, size_t len)
{
	Elf_Scn *scn = elf_newscn(e);
	Elf_Data *d = elf_newdata(scn);
	GElf_Shdr sh;

	d->d_buf = data;
	d->d_size = len;
	d->d_type = ELF_T_BYTE;
	d->d_align = 1;
	d->d_version = EV_CURRENT;
	assert_non_null(gelf_getshdr(scn, &sh));
	sh.sh_name = name;
	sh.sh_type = type;
	sh.sh_flags = flags;
	sh.sh_addr = addr;
	assert_true(gelf_update_shdr(scn, &sh));
	return scn;
}

/* An executable with nothing but .go.buildinfo. */
static void write_elf(void *info, size_t len)
{
	static char names[] = "\0.go.buildinfo\0.shstrtab";
	cleanup_close int fd = open(elf_path, O_RDWR | O_CREAT | O_TRUNC, 0755);
	GElf_Ehdr eh;

	assert_true(fd >= 0);
	(void)elf_version(EV_CURRENT);
	Elf *e = elf_begin(fd, ELF_C_WRITE, NULL);
	assert_non_null(e);
	assert_non_null(gelf_newehdr(e, ELFCLASS64));
	assert_non_null(gelf_getehdr(e, &eh));
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	eh.e_type = ET_EXEC;
	eh.e_machine = EM_X86_64;
	eh.e_version = EV_CURRENT;
	(void)add_section(e, 1, SHT_PROGBITS, SHF_ALLOC, ADDR, info, len);
	Elf_Scn *last = add_section(e, 15, SHT_STRTAB, 0, 0, names, sizeof(names));
	eh.e_shstrndx = (GElf_Half)elf_ndxscn(last);
	assert_true(gelf_update_ehdr(e, &eh));
	assert_true(elf_update(e, ELF_C_WRITE) > 0);
	(void)elf_end(e);
}

static void start_info(unsigned char *info, size_t len, unsigned char flags)
{
	memset(info, 0, len);
	memcpy(info, "\xff Go buildinf:", 14);
	info[14] = 8;
	info[15] = flags;
}

static void put_word(unsigned char *at, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		at[i] = (unsigned char)(v >> 8 * i);
}

static void assert_refused(void)
{
	struct err cleanup_err err = ERR_INIT;
	struct build_info b = { 0 };

	assert_true(build_info_read(elf_path, &b, &err) < 0);
	assert_non_null(strstr(err_text(&err), elf_path));
	assert_null(b.version);
}

static void test_inline(void **state)
{
	/* The sentinels of the real thing: one holds a 0. */
	static const char before[] = "\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6";
	static const char after[] = "\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2";
	static const char text[] = "path\tx\nmod\tmemtide.dev/goprogs\t(devel)\t\nbuild\t-trimpath=true\nbuild\tDefaultGODEBUG=panicnil=1,tls3des=1\nbuild\tDefault=no\n";
	unsigned char info[512];
	size_t n = 32, len = 32 + strlen(text);
	struct build_info b = { 0 };

	(void)state;
	start_info(info, sizeof(info), 2);
	info[n++] = 8;
	memcpy(info + n, "go1.22.1", 8);
	n += 8;
	assert_true(len >= 128 && len < 256);
	info[n++] = (unsigned char)(0x80 | (len & 0x7f));
	info[n++] = (unsigned char)(len >> 7);
	memcpy(info + n, before, 16);
	memcpy(info + n + 16, text, strlen(text));
	memcpy(info + n + 16 + strlen(text), after, 16);
	write_elf(info, sizeof(info));

	assert_int_equal(build_info_read(elf_path, &b, NULL), 0);
	assert_string_equal(b.version, "go1.22.1");
	assert_string_equal(b.module, text);
	cleanup_free char *godebug = build_info_setting(&b, "DefaultGODEBUG"), *trim = build_info_setting(&b, "-trimpath");
	assert_string_equal(godebug, "panicnil=1,tls3des=1");
	assert_string_equal(trim, "true");
	assert_null(build_info_setting(&b, "DefaultGODEBU"));
	assert_null(build_info_setting(&b, "path"));
	build_info_done(&b);
	assert_null(build_info_setting(&b, "-trimpath"));
}

static void test_inline_bounds(void **state)
{
	unsigned char info[64];

	(void)state;
	start_info(info, sizeof(info), 2);
	write_elf(info, sizeof(info)); /* an empty version */
	assert_refused();
	info[32] = 0x7f; /* longer than the section */
	write_elf(info, sizeof(info));
	assert_refused();
	memset(info + 32, 0xff, 32); /* a length without end */
	write_elf(info, sizeof(info));
	assert_refused();
	write_elf(info, 20); /* half a header */
	assert_refused();
}

static void test_pointers(void **state)
{
	unsigned char info[128];
	struct build_info b = { 0 };

	(void)state;
	start_info(info, sizeof(info), 0);
	put_word(info + 16, ADDR + 64); /* -> string header */
	put_word(info + 64, ADDR + 96); /* -> text */
	put_word(info + 72, 9);
	memcpy(info + 96, "go1.13.15", 9);
	write_elf(info, sizeof(info));
	assert_int_equal(build_info_read(elf_path, &b, NULL), 0);
	assert_string_equal(b.version, "go1.13.15");
	assert_null(b.module);
	build_info_done(&b);

	put_word(info + 72, 33); /* one byte beyond the section */
	write_elf(info, sizeof(info));
	assert_refused();
	put_word(info + 72, UINT64_MAX);
	write_elf(info, sizeof(info));
	assert_refused();
	put_word(info + 72, 9);
	put_word(info + 64, UINT64_MAX - 4); /* into nowhere */
	write_elf(info, sizeof(info));
	assert_refused();
	put_word(info + 16, 1);
	write_elf(info, sizeof(info));
	assert_refused();
	info[14] = 4; /* a pointer size that is not the file's */
	write_elf(info, sizeof(info));
	assert_refused();
}

static void test_no_go(void **state)
{
	struct err cleanup_err err = ERR_INIT;
	char *version = NULL;

	(void)state;
	assert_true(build_version_read("/proc/self/exe", &version, &err) < 0);
	assert_non_null(strstr(err_text(&err), "/proc/self/exe"));
	assert_true(build_version_read(dir, &version, &err) < 0);
	assert_true(build_version_read("/dev/null", &version, &err) < 0);
	assert_true(build_version_read("/nonexistent", &version, &err) < 0);
	assert_int_equal(err.errnum, 2);
	assert_int_equal(file_write(elf_path, "#!/bin/sh\n", 10, NULL), 0);
	assert_refused();
	assert_null(version);
}

/* --- real ones --- */

static struct toolchains local;

static void need_toolchains(void)
{
	if (local.n == 0)
		(void)toolchains_find(&local, NULL, NULL);
	if (local.n == 0) {
		print_message("skipped: no Go toolchain on this machine\n");
		skip();
	}
}

static void test_real_commands(void **state)
{
	(void)state;
	need_toolchains();
	for (size_t i = 0; i < local.n; i++) {
		cleanup_free char *go = strf("%s/bin/go", local.v[i].goroot), *version = NULL;

		assert_int_equal(build_version_read(go, &version, NULL), 0);
		assert_true(version_text_equal(version, local.v[i].version_text));
	}
}

/* Whatever is cut off or overwritten: an answer or an error, and no access outside of the file. */
static void test_damage(void **state)
{
	cleanup_free char *tool = NULL, *data = NULL, *damaged = NULL;
	size_t len;

	(void)state;
	need_toolchains();
	tool = strf("%s/pkg/tool/linux_%s/asm", local.v[0].goroot, host_goarch());
	assert_int_equal(file_read(tool, 1UL << 26, &data, &len, NULL), 0);
	damaged = xcalloc(len, 1);
	srandom(1);
	for (int round = 0; round < 150; round++) {
		size_t cut = round % 3 ? len : (size_t)random() % len;
		struct build_info b = { 0 };

		memcpy(damaged, data, len);
		/* The headers at the start, and the section headers where they point to, break the most. */
		for (int k = 0; k < 8 && round % 3; k++) {
			uint64_t sections;
			memcpy(&sections, data + 0x28, sizeof(sections));
			size_t at = round % 3 == 1 ? (size_t)random() % 64 : (sections + (size_t)random() % 1600) % len;
			damaged[at] = (char)random();
		}
		cleanup_close int fd = open(elf_path, O_RDWR | O_CREAT | O_TRUNC, 0755);
		assert_true(fd >= 0 && write(fd, damaged, cut) == (ssize_t)cut);
		if (build_info_read(elf_path, &b, NULL) == 0)
			assert_non_null(b.version);
		build_info_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inline),	      cmocka_unit_test(test_inline_bounds), cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_no_go),	      cmocka_unit_test(test_real_commands), cmocka_unit_test(test_damage),
	};
	int failed = cmocka_run_group_tests_name("build_version", tests, make_dir, remove_dir);

	toolchains_done(&local);
	return failed;
}

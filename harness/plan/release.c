/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"

/* As the proxy's list of releases had them when this was written. */
static const int newest_patches[] = { 13, 17, 15, 15, 15, 15, 13, 10, 13, 14, 13, 12, 12, 13, 14, 11, 4 };

/* From: the first release, as minor.patch; to: the last minor, 0 while it is still known. number: the runtime reads a 32-bit
 * integer and takes anything else for absent. preset: the runtime's own value; NULL: it depends on the go line, or is none of
 * memory's business. madvdontneed's changed, see release_godebug_default(). */
struct godebug {
	const char *name;
	int from, from_patch, to;
	bool number;
	const char *preset;
};

/* dbgvars in src/runtime/runtime1.go of the newest patch of 1.11 to 1.27, then what the library asks for by
 * internal/godebug (godebugs/table.go since 1.21). Aliases that only the go command reads are left out. */
static const struct godebug godebugs[] = {
	{ "adaptivestackstart", 19, 0, 0, true, "1" },
	{ "allocfreetrace", 11, 0, 22, true, "0" },
	{ "asyncpreemptoff", 14, 0, 0, true, "0" },
	{ "asynctimerchan", 23, 0, 26, true, NULL },
	{ "cgocheck", 11, 0, 0, true, "1" },
	{ "checkfinalizers", 25, 0, 0, true, "0" },
	{ "clobberfree", 12, 0, 0, true, "0" },
	{ "containermaxprocs", 25, 0, 0, true, NULL },
	{ "dataindependenttiming", 24, 0, 0, true, "0" },
	{ "decoratemappings", 25, 0, 0, true, NULL },
	{ "disablethp", 21, 6, 0, true, "0" }, /* 1.22, and back in 1.21.6 */
	{ "dontfreezetheworld", 21, 0, 0, true, "0" },
	{ "efence", 11, 0, 0, true, "0" },
	{ "gccheckmark", 11, 0, 0, true, "0" },
	{ "gcpacertrace", 11, 0, 0, true, "0" },
	{ "gcrescanstacks", 11, 0, 11, true, "0" },
	{ "gcshrinkstackoff", 11, 0, 0, true, "0" },
	{ "gcstoptheworld", 11, 0, 0, true, "0" },
	{ "gctrace", 11, 0, 0, true, "0" },
	{ "harddecommit", 18, 0, 0, true, "0" },
	{ "inittrace", 16, 0, 0, true, "0" },
	{ "invalidptr", 11, 0, 0, true, "1" },
	{ "madvdontneed", 12, 0, 0, true, "1" },
	{ "memprofilerate", 11, 0, 0, true, "524288" },
	{ "panicnil", 21, 0, 0, true, NULL },
	{ "profstackdepth", 23, 0, 0, true, "128" },
	{ "runtimecontentionstacks", 22, 0, 24, true, "0" },
	{ "sbrk", 11, 0, 0, true, "0" },
	{ "scavenge", 11, 0, 16, true, "0" }, /* without effect from 1.13 on */
	{ "scavtrace", 14, 0, 0, true, "0" },
	{ "scheddetail", 11, 0, 0, true, "0" },
	{ "schedtrace", 11, 0, 0, true, "0" },
	{ "traceadvanceperiod", 22, 0, 0, true, NULL },
	{ "traceallocfree", 23, 0, 0, true, "0" },
	{ "tracebackancestors", 11, 0, 0, true, "0" },
	{ "tracebacklabels", 26, 0, 0, true, NULL },
	{ "tracecheckstackownership", 23, 0, 0, true, "0" },
	{ "tracefpunwindoff", 21, 0, 0, true, "0" },
	{ "updatemaxprocs", 25, 0, 0, true, NULL },

	{ "cryptocustomrand", 26, 0, 0, false, NULL },
	{ "execerrdot", 19, 0, 0, false, NULL },
	{ "fips140", 24, 0, 0, false, NULL },
	{ "gotypesalias", 22, 0, 0, false, NULL },
	{ "htmlmetacontenturlescape", 25, 0, 0, false, NULL },
	{ "http2client", 11, 0, 0, false, NULL },
	{ "http2debug", 11, 0, 0, false, NULL },
	{ "http2server", 11, 0, 0, false, NULL },
	{ "http2xconnect", 24, 0, 0, false, NULL },
	{ "httpcookiemaxnum", 24, 0, 0, false, NULL },
	{ "httplaxcontentlength", 22, 0, 0, false, NULL },
	{ "httpmuxgo121", 22, 0, 0, false, NULL },
	{ "httpservecontentkeepheaders", 23, 0, 0, false, NULL },
	{ "httpservecontentmaxranges", 26, 0, 0, false, NULL },
	{ "intern", 18, 0, 22, false, NULL },
	{ "jstmpllitinterp", 19, 0, 0, false, NULL },
	{ "multipartfiles", 19, 0, 0, false, NULL },
	{ "multipartmaxheaders", 19, 0, 0, false, NULL },
	{ "multipartmaxparts", 19, 0, 0, false, NULL },
	{ "multipathtcp", 21, 0, 0, false, NULL },
	{ "netdns", 11, 0, 0, false, NULL },
	{ "netedns0", 21, 0, 0, false, NULL },
	{ "randautoseed", 20, 0, 0, false, NULL },
	{ "randseednop", 24, 0, 0, false, NULL },
	{ "rsa1024min", 24, 0, 0, false, NULL },
	{ "tarinsecurepath", 20, 0, 0, false, NULL },
	{ "tls10server", 22, 0, 26, false, NULL },
	{ "tls13", 12, 0, 13, false, NULL },
	{ "tls3des", 23, 0, 26, false, NULL },
	{ "tlskyber", 23, 0, 23, false, NULL },
	{ "tlsmaxrsasize", 19, 0, 0, false, NULL },
	{ "tlsmlkem", 24, 0, 0, false, NULL },
	{ "tlsrsakex", 22, 0, 26, false, NULL },
	{ "tlssha1", 25, 0, 0, false, NULL },
	{ "tlsunsafeekm", 22, 0, 26, false, NULL },
	{ "urlmaxqueryparams", 24, 0, 0, false, NULL },
	{ "urlstrictcolons", 26, 0, 0, false, NULL },
	{ "x509keypairleaf", 23, 0, 26, false, NULL },
	{ "x509negativeserial", 23, 0, 0, false, NULL },
	{ "x509sha1", 18, 0, 23, false, NULL },
	{ "x509usefallbackroots", 20, 0, 0, false, NULL },
	{ "x509usepolicies", 22, 0, 0, false, NULL },
	{ "zipinsecurepath", 20, 0, 0, false, NULL },
};

#define N_GODEBUGS (sizeof(godebugs) / sizeof(*godebugs))

static const struct godebug *find_godebug(const char *name)
{
	for (size_t i = 0; i < N_GODEBUGS; i++)
		if (!strcmp(godebugs[i].name, name))
			return &godebugs[i];
	return NULL;
}

/* A number as Go writes it in versions: no sign, no leading zero. Returns the text behind it, or NULL. */
static const char *take_number(const char *p, int *ret)
{
	size_t digits = strspn(p, "0123456789");

	if (digits == 0 || digits > 4 || (digits > 1 && *p == '0'))
		return NULL;
	*ret = (int)strtol(p, NULL, 10);
	return p + digits;
}

static const char *take_pre(const char *p, char pre[static 12])
{
	static const char *const kinds[] = { "rc", "beta" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t n = strlen(kinds[i]);
		int number;

		if (strncmp(p, kinds[i], n))
			continue;
		const char *end = take_number(p + n, &number);
		if (end)
			(void)snprintf(pre, 12, "%s%d", kinds[i], number);
		return end;
	}
	return p;
}

int go_version_parse(const char *text, struct go_version *ret, struct err *err)
{
	const char *p = text + (strncmp(text, "go", 2) ? 0 : 2);
	struct go_version v = { 0 };

	p = strncmp(p, "1.", 2) ? NULL : take_number(p + 2, &v.minor);
	if (p && *p == '.')
		p = take_number(p + 1, &v.patch);
	else if (p)
		p = take_pre(p, v.pre);
	if (!p || *p)
		return err_usage(err, "'%s' is no Go release: write 1.15, 1.15.3 or 1.27rc1", text);
	*ret = v;
	return 0;
}

/* rc2 < rc10, and any beta before any rc. */
static int compare_pre(const char *a, const char *b)
{
	size_t word = strcspn(a, "0123456789");

	if (word != strcspn(b, "0123456789") || strncmp(a, b, word))
		return strcmp(a, b);
	return atoi(a + word) - atoi(b + word);
}

int go_version_compare(const struct go_version *a, const struct go_version *b)
{
	if (a->minor != b->minor)
		return a->minor - b->minor;
	if (a->patch != b->patch)
		return a->patch - b->patch;
	if (!*a->pre || !*b->pre)
		return !*a->pre - !*b->pre;
	return compare_pre(a->pre, b->pre);
}

char *go_version_format(char *buf, size_t n, const struct go_version *v)
{
	if (*v->pre)
		(void)snprintf(buf, n, "1.%d%s", v->minor, v->pre);
	else if (v->patch == 0 && v->minor < 21)
		(void)snprintf(buf, n, "1.%d", v->minor);
	else
		(void)snprintf(buf, n, "1.%d.%d", v->minor, v->patch);
	return buf;
}

int release_newest_known_minor(void)
{
	return RELEASE_OLDEST_MINOR + (int)(sizeof(newest_patches) / sizeof(*newest_patches)) - 1;
}

int release_newest_known_patch(int minor)
{
	if (minor < RELEASE_OLDEST_MINOR || minor > release_newest_known_minor())
		return -1;
	return newest_patches[minor - RELEASE_OLDEST_MINOR];
}

static bool refuse(char **ret_why, char *why)
{
	if (ret_why)
		*ret_why = why;
	else
		free(why);
	return false;
}

bool release_knows_godebug(const struct go_version *v, const char *name, char **ret_why)
{
	const struct godebug *g = find_godebug(name);
	char text[32], first[32];

	if (!g)
		return refuse(ret_why, strf("no Go release is known to have the GODEBUG name %s", name));

	const struct go_version from = { .minor = g->from, .patch = g->from_patch };

	(void)go_version_format(text, sizeof(text), v);
	if (g->to && v->minor > g->to)
		return refuse(ret_why, strf("Go %s does not know %s any more (1.%d was the last that did)", text, name, g->to));
	if (v->minor < from.minor || (v->minor == from.minor && v->patch < from.patch))
		return refuse(ret_why, strf("Go %s does not know %s (%s and later do)", text, name,
					    from.patch ? go_version_format(first, sizeof(first), &from)
						       : (snprintf(first, sizeof(first), "1.%d", from.minor), first)));
	return true;
}

const char *const *release_godebug_names(size_t *ret_n)
{
	static const char *names[N_GODEBUGS + 1];

	for (size_t i = 0; i < N_GODEBUGS; i++)
		names[i] = godebugs[i].name;
	*ret_n = N_GODEBUGS;
	return names;
}

bool release_godebug_takes_number(const char *name)
{
	const struct godebug *g = find_godebug(name);

	return g && g->number;
}

const char *release_godebug_default(const struct go_version *v, const char *name)
{
	const struct godebug *g = find_godebug(name);

	if (!g || !release_knows_godebug(v, name, NULL))
		return NULL;
	/* MADV_FREE from 1.12 to 1.15, MADV_DONTNEED again since (golang/go#42330). */
	if (!strcmp(name, "madvdontneed") && v->minor < 16)
		return "0";
	return g->preset;
}

bool release_knows_env(const struct go_version *v, const char *name, char **ret_why)
{
	char text[32];

	if (strcmp(name, "GOMEMLIMIT") || v->minor >= 19)
		return true;
	return refuse(ret_why,
		      strf("Go %s does not read GOMEMLIMIT (1.19 and later do)", go_version_format(text, sizeof(text), v)));
}

bool release_accepts_go_line(const struct go_version *v, const char *line, char **ret_why)
{
	struct go_version wanted;
	char text[32];

	if (go_version_parse(line, &wanted, NULL) < 0)
		return refuse(ret_why, strf("'%s' is no go line", line));
	if (v->minor < 21 || wanted.minor <= v->minor)
		return true;
	return refuse(ret_why,
		      strf("Go %s refuses a module with the newer line `go %s`", go_version_format(text, sizeof(text), v), line));
}

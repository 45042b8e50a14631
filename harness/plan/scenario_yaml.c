/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/scenario_yaml.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"

/* A scenario has some dozens of values; aliases could make a small file into billions. */
#define VALUES_MAX 20000

/* --- the form a scenario has --- */

enum shape {
	SHAPE_TEXT,
	SHAPE_LIST,        /* a list of texts, which may be empty texts */
	SHAPE_ONE_OR_MORE, /* a text, or a list of them that is not empty */
	SHAPE_MAP,
	SHAPE_MAPS,     /* a list of maps */
	SHAPE_FREE_MAP, /* keys of the user's own, each with SHAPE_ONE_OR_MORE: becomes [{name:, values:}] */
	SHAPE_PROGRAM,  /* a name, or a map */
};

struct key {
	const char *name;
	enum shape shape;
	bool required;
	const struct key *keys; /* SHAPE_MAP, SHAPE_MAPS, SHAPE_PROGRAM */
};

static const struct key program_keys[] = {
	{ "dir", SHAPE_TEXT, false, NULL },     { "package", SHAPE_TEXT, false, NULL }, { "cgo", SHAPE_TEXT, false, NULL },
	{ "command", SHAPE_LIST, false, NULL }, { NULL, SHAPE_TEXT, false, NULL },
};

static const struct key run_keys[] = {
	{ "for", SHAPE_TEXT, false, NULL },    { "timeout", SHAPE_TEXT, false, NULL }, { "clock", SHAPE_TEXT, false, NULL },
	{ "repeat", SHAPE_TEXT, false, NULL }, { "takes", SHAPE_TEXT, false, NULL },
	{ "alone", SHAPE_TEXT, false, NULL },
	{ NULL, SHAPE_TEXT, false, NULL },
};

static const struct key load_keys[] = {
	{ "args", SHAPE_LIST, false, NULL },
	{ "command", SHAPE_LIST, false, NULL },
	{ "clock", SHAPE_TEXT, false, NULL },
	{ NULL, SHAPE_TEXT, false, NULL },
};

static const struct key ready_keys[] = {
	{ "mark", SHAPE_TEXT, false, NULL },
	{ "port", SHAPE_TEXT, false, NULL },
	{ NULL, SHAPE_TEXT, false, NULL },
};

static const struct key timeline_keys[] = {
	{ "at", SHAPE_TEXT, true, NULL },    { "do", SHAPE_TEXT, true, NULL },   { "amount", SHAPE_TEXT, false, NULL },
	{ "name", SHAPE_TEXT, false, NULL }, { NULL, SHAPE_TEXT, false, NULL },
};

static const struct key expect_keys[] = {
	{ "for", SHAPE_FREE_MAP, false, NULL }, { "that", SHAPE_ONE_OR_MORE, true, NULL }, { "because", SHAPE_TEXT, false, NULL },
	{ "share", SHAPE_TEXT, false, NULL },   { "race", SHAPE_TEXT, false, NULL },
	{ "versus", SHAPE_FREE_MAP, false, NULL },
	{ NULL, SHAPE_TEXT, false, NULL },
};

static const struct key scenario_keys[] = {
	{ "name", SHAPE_TEXT, true, NULL },       { "title", SHAPE_TEXT, true, NULL },
	{ "source", SHAPE_TEXT, false, NULL },    { "story", SHAPE_TEXT, false, NULL },
	{ "explain", SHAPE_TEXT, false, NULL },   { "program", SHAPE_PROGRAM, true, program_keys },
	{ "args", SHAPE_LIST, false, NULL },      { "axes", SHAPE_FREE_MAP, false, NULL },
	{ "limit", SHAPE_TEXT, false, NULL },     { "needs", SHAPE_TEXT, false, NULL },
	{ "run", SHAPE_MAP, false, run_keys },    { "expect", SHAPE_MAPS, false, expect_keys },
	{ "load", SHAPE_MAP, false, load_keys },  { "ready", SHAPE_MAP, false, ready_keys },
	{ "timeline", SHAPE_MAPS, false, timeline_keys }, { NULL, SHAPE_TEXT, false, NULL },
};

static const struct key whole = { "the scenario", SHAPE_MAP, true, scenario_keys };

/* --- first pass: form, positions, the normal form --- */

struct reader {
	yaml_document_t *doc;
	struct places *places;
	struct err *err;
	unsigned values;
};

static json_t *fail(struct reader *r, yaml_mark_t mark, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static json_t *fail(struct reader *r, yaml_mark_t mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cleanup_free char *what = vstrf(fmt, ap);
	va_end(ap);
	(void)err_usage(r->err, "%s:%zu:%zu: %s", r->places->file, mark.line + 1, mark.column + 1, what);
	return NULL;
}

static void keep_place(struct reader *r, const char *path, yaml_mark_t mark)
{
	struct places *p = r->places;

	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = (struct place){ xstrdup(path), mark.line + 1, mark.column + 1 };
}

static const char *type_word(const yaml_node_t *n)
{
	switch (n->type) {
	case YAML_SCALAR_NODE:
		return "a single value";
	case YAML_SEQUENCE_NODE:
		return "a list";
	case YAML_MAPPING_NODE:
		return "a mapping";
	case YAML_NO_NODE:
		break;
	}
	return "nothing";
}

static const char *scalar(const yaml_node_t *n)
{
	return (const char *)n->data.scalar.value;
}

static json_t *read_text(struct reader *r, const char *name, yaml_node_t *n, const char *path, bool may_be_empty)
{
	if (n->type != YAML_SCALAR_NODE)
		return fail(r, n->start_mark, "%s must be a single value, not %s", name, type_word(n));
	if (++r->values > VALUES_MAX)
		return fail(r, n->start_mark, "more than %d values: this is no scenario", VALUES_MAX);
	for (size_t i = 0; i < n->data.scalar.length; i++) {
		unsigned char c = n->data.scalar.value[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			return fail(r, n->start_mark, "%s has a control character in it", name);
	}
	if (n->data.scalar.length == 0 && (!may_be_empty || n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE))
		return fail(r, n->start_mark, "%s has no value", name);
	keep_place(r, path, n->start_mark);
	return json_stringn(scalar(n), n->data.scalar.length);
}

static json_t *read_list(struct reader *r, const char *name, yaml_node_t *n, const char *path, bool one_or_more)
{
	cleanup_json json_t *list = json_array();
	yaml_node_item_t *item = NULL, *end = NULL;

	if (n->type == YAML_SEQUENCE_NODE) {
		item = n->data.sequence.items.start;
		end = n->data.sequence.items.top;
		if (one_or_more && item == end)
			return fail(r, n->start_mark, "%s is empty: it needs one value at least", name);
	} else if (!one_or_more || n->type != YAML_SCALAR_NODE) {
		return fail(r, n->start_mark,
			    one_or_more ? "%s must be a value or a list of values, not %s"
					: "%s must be a list, as in [a, b], not %s",
			    name, type_word(n));
	}
	keep_place(r, path, n->start_mark);
	for (size_t i = 0; item ? item < end : i == 0 && !end; i++) {
		cleanup_free char *sub = strf("%s[%zu]", path, i);
		json_t *text = read_text(r, name, item ? yaml_document_get_node(r->doc, *item++) : n, sub, !one_or_more);

		if (json_array_append_new(list, text) < 0)
			return NULL;
	}
	return TAKE(list);
}

static bool same_text(const yaml_node_t *a, const yaml_node_t *b)
{
	return b->type == YAML_SCALAR_NODE && a->data.scalar.length == b->data.scalar.length &&
	       !memcmp(a->data.scalar.value, b->data.scalar.value, a->data.scalar.length);
}

/* A key of a mapping must be a text, and there must be only one of it. */
static const char *read_key(struct reader *r, const char *name, yaml_node_t *map, const yaml_node_pair_t *pair)
{
	yaml_node_t *key = yaml_document_get_node(r->doc, pair->key);

	if (key->type != YAML_SCALAR_NODE || key->data.scalar.length == 0 || strlen(scalar(key)) != key->data.scalar.length) {
		(void)fail(r, key->start_mark, "a key of %s must be a word", name);
		return NULL;
	}
	for (const yaml_node_pair_t *before = map->data.mapping.pairs.start; before < pair; before++) {
		yaml_node_t *other = yaml_document_get_node(r->doc, before->key);

		if (same_text(key, other)) {
			(void)fail(r, key->start_mark, "%s has '%s' twice (before in line %zu)", name, scalar(key),
				   other->start_mark.line + 1);
			return NULL;
		}
	}
	return scalar(key);
}

static json_t *read_free_map(struct reader *r, const char *name, yaml_node_t *n, const char *path)
{
	cleanup_json json_t *list = json_array();

	if (n->type != YAML_MAPPING_NODE)
		return fail(r, n->start_mark, "%s must map each axis to its values, as in {go: 1.11..1.16}, not be %s", name,
			    type_word(n));
	keep_place(r, path, n->start_mark);
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		const char *axis = read_key(r, name, n, p);

		if (!axis)
			return NULL;

		cleanup_free char *label = strf("the axis '%s'", axis), *sub = strf("%s.%s", path, axis),
				  *at_key = strf("%s.#%s", path, axis);
		keep_place(r, at_key, yaml_document_get_node(r->doc, p->key)->start_mark);

		json_t *values = read_list(r, label, yaml_document_get_node(r->doc, p->value), sub, true);
		if (!values || json_array_append_new(list, json_pack("{s:s, s:o}", "name", axis, "values", values)) < 0)
			return NULL;
	}
	return TAKE(list);
}

static json_t *read_value(struct reader *r, const struct key *k, yaml_node_t *n, const char *path);

static json_t *unknown_key(struct reader *r, const struct key *map, yaml_mark_t mark, const char *word)
{
	cleanup_strv struct strv names = STRV_INIT;

	for (const struct key *k = map->keys; k->name; k++)
		strv_push(&names, k->name);

	const char *near = nearest_word(word, (const char *const *)names.v, names.n);
	cleanup_free char *all = strv_join(&names, ", ");

	return near ? fail(r, mark, "%s has no key '%s': did you mean '%s'?", map->name, word, near)
		    : fail(r, mark, "%s has no key '%s': its keys are %s", map->name, word, all);
}

static json_t *read_map(struct reader *r, const struct key *map, yaml_node_t *n, const char *path)
{
	cleanup_json json_t *object = json_object();

	if (n->type != YAML_MAPPING_NODE)
		return fail(r, n->start_mark, "%s must be a mapping of keys to values, not %s", map->name, type_word(n));
	keep_place(r, path, n->start_mark);
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		yaml_mark_t mark = yaml_document_get_node(r->doc, p->key)->start_mark;
		const char *word = read_key(r, map->name, n, p);
		const struct key *k = map->keys;

		if (!word)
			return NULL;
		while (k->name && strcmp(k->name, word))
			k++;
		if (!k->name)
			return unknown_key(r, map, mark, word);

		cleanup_free char *sub = strf("%s%s%s", path, *path ? "." : "", word);
		json_t *value = read_value(r, k, yaml_document_get_node(r->doc, p->value), sub);
		if (json_object_set_new(object, word, value) < 0)
			return NULL;
	}
	for (const struct key *k = map->keys; k->name; k++)
		if (k->required && !json_object_get(object, k->name))
			return fail(r, n->start_mark, "%s has no '%s'", map->name, k->name);
	return TAKE(object);
}

static json_t *read_maps(struct reader *r, const struct key *k, yaml_node_t *n, const char *path)
{
	cleanup_json json_t *list = json_array();
	cleanup_free char *label = strf("an element of %s", k->name);
	const struct key element = { label, SHAPE_MAP, true, k->keys };

	if (n->type != YAML_SEQUENCE_NODE)
		return fail(r, n->start_mark, "%s must be a list, not %s", k->name, type_word(n));
	keep_place(r, path, n->start_mark);
	for (yaml_node_item_t *item = n->data.sequence.items.start; item < n->data.sequence.items.top; item++) {
		cleanup_free char *sub = strf("%s[%zu]", path, json_array_size(list));

		if (json_array_append_new(list, read_map(r, &element, yaml_document_get_node(r->doc, *item), sub)) < 0)
			return NULL;
	}
	return TAKE(list);
}

static json_t *read_value(struct reader *r, const struct key *k, yaml_node_t *n, const char *path)
{
	json_t *name;

	switch (k->shape) {
	case SHAPE_TEXT:
		return read_text(r, k->name, n, path, false);
	case SHAPE_LIST:
		return read_list(r, k->name, n, path, false);
	case SHAPE_ONE_OR_MORE:
		return read_list(r, k->name, n, path, true);
	case SHAPE_MAP:
		return read_map(r, k, n, path);
	case SHAPE_MAPS:
		return read_maps(r, k, n, path);
	case SHAPE_FREE_MAP:
		return read_free_map(r, k->name, n, path);
	case SHAPE_PROGRAM:
		if (n->type == YAML_MAPPING_NODE)
			return read_map(r, k, n, path);
		if (n->type == YAML_SEQUENCE_NODE)
			return fail(r, n->start_mark,
				    "program must be a name, {dir: ..., package: ...} or {command: [...]}, not a list");
		name = read_text(r, k->name, n, path, false);
		return name ? json_pack("{s:o}", "name", name) : NULL;
	}
	return NULL;
}

static int parse_failed(const yaml_parser_t *p, const char *file, const char *text, struct err *err)
{
	size_t line = p->problem_mark.line + 1, column = p->problem_mark.column + 1;

	if (p->error == YAML_MEMORY_ERROR)
		return err_set(err, ENOMEM, "cannot read %s", file);
	if (p->error == YAML_READER_ERROR) {
		/* Only an offset is told: wrong UTF-8 or a control character. */
		line = column = 1;
		for (size_t i = 0; i < p->problem_offset; i++) {
			column = text[i] == '\n' ? 1 : column + 1;
			line += text[i] == '\n';
		}
	}
	return err_usage(err, "%s:%zu:%zu: this is not YAML: %s%s%s%s", file, line, column,
			 p->problem ? p->problem : "it cannot be read", p->context ? " (" : "", p->context ? p->context : "",
			 p->context ? ")" : "");
}

static int normalise(yaml_parser_t *parser, struct places *places, const char *text, json_t **ret, struct err *err)
{
	yaml_document_t doc, next;
	struct reader r = { .doc = &doc, .places = places, .err = err };
	int result = -EINVAL;

	if (!yaml_parser_load(parser, &doc))
		return parse_failed(parser, places->file, text, err);

	yaml_node_t *root = yaml_document_get_root_node(&doc);

	if (!root)
		(void)err_usage(err, "%s:1:1: the file is empty: a scenario has at least name, title and program", places->file);
	else if ((*ret = read_value(&r, &whole, root, "")))
		result = 0;
	if (result == 0 && !yaml_parser_load(parser, &next)) {
		result = parse_failed(parser, places->file, text, err);
	} else if (result == 0) {
		yaml_node_t *second = yaml_document_get_root_node(&next);

		if (second) {
			(void)fail(&r, second->start_mark, "a second document begins here: a file holds one scenario");
			result = -EINVAL;
		}
		yaml_document_delete(&next);
	}
	yaml_document_delete(&doc);
	return result;
}

/* --- second pass: libcyaml --- */

#define TEXT(key, type, member) \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 0, CYAML_UNLIMITED)
#define LIST(key, type, member)                                                                                              \
	CYAML_FIELD_SEQUENCE_COUNT(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member.v, member.n, &text_schema, 0, \
				   CYAML_UNLIMITED)

static const cyaml_schema_value_t text_schema = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED) };

static const cyaml_schema_field_t axis_fields[] = {
	TEXT("name", struct raw_axis, name),
	LIST("values", struct raw_axis, values),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t axis_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_axis, axis_fields) };

static const cyaml_schema_field_t expectation_fields[] = {
	CYAML_FIELD_SEQUENCE_COUNT("for", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_expectation, match, n_match,
				   &axis_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE_COUNT("versus", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_expectation, versus, n_versus,
				   &axis_schema, 0, CYAML_UNLIMITED),
	LIST("that", struct raw_expectation, that),
	TEXT("because", struct raw_expectation, because),
	TEXT("share", struct raw_expectation, share),
	TEXT("race", struct raw_expectation, race),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t expectation_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_expectation,
									     expectation_fields) };

static const cyaml_schema_field_t program_fields[] = {
	TEXT("name", struct raw_program, name),       TEXT("dir", struct raw_program, dir),
	TEXT("package", struct raw_program, package), TEXT("cgo", struct raw_program, cgo),
	LIST("command", struct raw_program, command), CYAML_FIELD_END,
};

static const cyaml_schema_field_t run_fields[] = {
	TEXT("for", struct raw_run, duration),
	TEXT("timeout", struct raw_run, timeout),
	TEXT("clock", struct raw_run, clock),
	TEXT("repeat", struct raw_run, repeat),
	TEXT("takes", struct raw_run, takes),
	TEXT("alone", struct raw_run, alone),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t load_fields[] = {
	LIST("args", struct raw_load, args),
	LIST("command", struct raw_load, command),
	TEXT("clock", struct raw_load, clock),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t ready_fields[] = {
	TEXT("mark", struct raw_ready, mark),
	TEXT("port", struct raw_ready, port),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t act_fields[] = {
	TEXT("at", struct raw_act, at),
	TEXT("do", struct raw_act, what),
	TEXT("amount", struct raw_act, amount),
	TEXT("name", struct raw_act, name),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t act_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_act, act_fields) };

static const cyaml_schema_field_t scenario_fields[] = {
	TEXT("name", struct raw_scenario, name),
	TEXT("title", struct raw_scenario, title),
	TEXT("source", struct raw_scenario, source),
	TEXT("story", struct raw_scenario, story),
	TEXT("explain", struct raw_scenario, explain),
	TEXT("limit", struct raw_scenario, limit),
	TEXT("needs", struct raw_scenario, needs),
	CYAML_FIELD_MAPPING("program", CYAML_FLAG_OPTIONAL, struct raw_scenario, program, program_fields),
	LIST("args", struct raw_scenario, args),
	CYAML_FIELD_SEQUENCE_COUNT("axes", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_scenario, axes, n_axes,
				   &axis_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING("run", CYAML_FLAG_OPTIONAL, struct raw_scenario, run, run_fields),
	CYAML_FIELD_MAPPING("load", CYAML_FLAG_OPTIONAL, struct raw_scenario, load, load_fields),
	CYAML_FIELD_MAPPING("ready", CYAML_FLAG_OPTIONAL, struct raw_scenario, ready, ready_fields),
	CYAML_FIELD_SEQUENCE_COUNT("timeline", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_scenario, timeline, n_timeline,
				   &act_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE_COUNT("expect", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_scenario, expect, n_expect,
				   &expectation_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t scenario_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_scenario,
									  scenario_fields) };

static const cyaml_config_t cyaml_config = { .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR, .flags = CYAML_CFG_NO_ALIAS };

int raw_scenario_load(const char *file, const char *text, size_t n, struct raw_scenario **ret, struct places *ret_places,
		      struct err *err)
{
	struct places places = { .file = xstrdup(file) };
	cleanup_json json_t *normal = NULL;
	yaml_parser_t parser;
	int r;

	if (!yaml_parser_initialize(&parser)) {
		places_done(&places);
		return err_set(err, ENOMEM, "cannot read %s", file);
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
	r = normalise(&parser, &places, text, &normal, err);
	yaml_parser_delete(&parser);

	if (r == 0) {
		/* JSON is YAML, and both libraries quote alike. */
		cleanup_free char *json = json_dumps(normal, JSON_COMPACT);
		cyaml_err_t e = !json ? CYAML_ERR_OOM
				      : cyaml_load_data((const uint8_t *)json, strlen(json), &cyaml_config, &scenario_schema,
							(cyaml_data_t **)ret, NULL);
		if (e != CYAML_OK)
			r = err_set(err, 0, "%s: cannot be loaded: %s", file, cyaml_strerror(e));
	}
	if (r == 0)
		*ret_places = places;
	else
		places_done(&places);
	return r;
}

void raw_scenario_free(struct raw_scenario *raw)
{
	(void)cyaml_free(&cyaml_config, &scenario_schema, raw, 0);
}

/* --- positions --- */

char *places_find(const struct places *p, const char *path)
{
	cleanup_free char *around = xstrdup(path);

	for (;;) {
		for (size_t i = 0; i < p->n; i++)
			if (!strcmp(p->v[i].path, around))
				return strf("%s:%zu:%zu", p->file, p->v[i].line, p->v[i].column);
		if (!*around)
			return strf("%s:1:1", p->file);

		char *last = around + strlen(around) - 1;
		while (last > around && *last != '.' && *last != '[')
			last--;
		*last = 0;
	}
}

bool places_has(const struct places *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->v[i].path, path))
			return true;
	return false;
}

int places_wrap(const struct places *p, struct err *err, const char *path, ...)
{
	va_list ap;

	va_start(ap, path);
	cleanup_free char *whole_path = vstrf(path, ap);
	va_end(ap);
	cleanup_free char *where = places_find(p, whole_path);

	return err_wrap(err, "%s", where);
}

void places_done(struct places *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].path);
	free(p->v);
	free(p->file);
	*p = (struct places){ 0 };
}

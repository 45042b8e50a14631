/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/strv.h"
#include "plan/scenario_parts.h"

static const char *const stories[STORY_COUNT_] = {
	[STORY_IDLE_MEMORY] = "idle memory", [STORY_LEAKS] = "leaks",	      [STORY_NATIVE_MEMORY] = "native memory",
	[STORY_UNDER_PRESSURE] = "under pressure", [STORY_SETTINGS] = "settings", [STORY_HISTORY] = "history",
};

const char *story_name(enum story story)
{
	return stories[story];
}

int story_parse(const char *text, enum story *ret, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;

	*ret = STORY_NONE;
	for (int i = 0; text && i < STORY_NONE; i++) {
		strv_push(&names, stories[i]);
		if (!strcmp(text, stories[i]))
			*ret = (enum story)i;
	}
	if (!text || *ret != STORY_NONE)
		return 0;

	cleanup_free char *all = strv_join(&names, ", ");

	return err_usage(err, "there is no story '%s': there are %s", text, all);
}

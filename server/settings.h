/* server/settings.h: `server:` of the app file. */
#ifndef AB_SETTINGS_H
#define AB_SETTINGS_H

#include "app.h"

/* Fill the settings with their defaults, then from `conf` (the mapping, or NULL). `serving`: limits are
 * checked against this process's. False after mistakes; the settings are usable then too. */
bool ab_settings_read(
        struct ab_settings *settings, const struct ab_conf *conf, bool serving, struct ab_diags *diags);

#endif

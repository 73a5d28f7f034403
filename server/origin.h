/* server/origin.h: cross-site request forgery, refused by what browsers say of a request's origin. */
#ifndef AB_ORIGIN_H
#define AB_ORIGIN_H

#include "request.h"

/* Whether Sec-Fetch-Site, or where that is missing Origin against Host, says that another origin's page sent
 * this. */
bool ab_request_crosses(const struct ab_request *request);

#endif

import type { RouteRuleSpec } from "../gen/crd/route-rule.ts";
import type { ObjectBase } from "./metadata.ts";

export type {
	Affinity,
	AffinityCookie,
	Cors,
	Destination,
	Duration,
	Fault,
	FaultAbort,
	FaultDelay,
	HeaderChanges,
	HeaderRules,
	IdentityMatch,
	Labels,
	Mirror,
	Percent,
	Redirect,
	RegexRewrite,
	Respond,
	Retries,
	RetryBackoff,
	RetryBudget,
	Rewrite,
	RouteMatch,
	RouteRuleSpec,
	RouteTarget,
	SourceMatch,
	StringMatch,
	TcpMatch,
} from "../gen/crd/route-rule.ts";

/** What happens to some of the traffic to one destination; defaults are filled in. */
export interface RouteRule extends ObjectBase<"RouteRule"> {
	readonly spec: RouteRuleSpec;
}

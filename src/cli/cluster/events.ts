import { isRecord } from "../../api/fields.ts";
import { compareText } from "../../api/object-ref.ts";
import { printTime } from "../../api/status.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { ObjectClient } from "../../kube/object-client.ts";
import { resources } from "../../kube/resources.ts";

/** Who writes events about our objects. */
const controller = "lateen.dev/lateen";

type Content = Readonly<Record<string, unknown>>;

interface SeenEvent {
	readonly kind: string;
	readonly namespace: string;
	readonly name: string;
	readonly type: string;
	readonly reason: string;
	readonly message: string;
	readonly count: number;
	readonly firstTime: string;
	readonly lastTime: string;
}

/** Events of our objects, in the form that `/v1/events` has; the one noted longest ago first. */
export async function clusterEvents(
	client: ObjectClient,
	namespace: string | undefined,
): Promise<readonly unknown[]> {
	const own = await eventsIn(client, namespace, "");
	// Events of objects without a namespace lie in `default`, which not everybody may read.
	const others =
		namespace === undefined || namespace === "default"
			? []
			: await eventsIn(client, "default", ",regarding.kind=Mesh").catch(
					(error: unknown) => {
						if (error instanceof KubeError && error.code === "KUBE_FORBIDDEN")
							return [];
						throw error;
					},
				);
	return [...own, ...others]
		.filter((one) => ["", namespace ?? one.namespace].includes(one.namespace))
		.sort((a, b) => compareText(a.lastTime, b.lastTime));
}

async function eventsIn(
	client: ObjectClient,
	namespace: string | undefined,
	selector: string,
): Promise<readonly SeenEvent[]> {
	const found: SeenEvent[] = [];
	const objects = client.listAll(resources.Event, {
		...(namespace !== undefined && { namespace }),
		fieldSelector: `reportingController=${controller}${selector}`,
	});
	for await (const { content } of objects) found.push(eventOf(content));
	return found;
}

function eventOf(content: Content): SeenEvent {
	const regarding = recordIn(content, "regarding");
	const series = recordIn(content, "series");
	const created = textIn(recordIn(content, "metadata"), "creationTimestamp");
	const first = textIn(content, "eventTime") || created;
	const { count } = series;
	return {
		kind: textIn(regarding, "kind"),
		namespace: textIn(regarding, "namespace"),
		name: textIn(regarding, "name"),
		type: textIn(content, "type"),
		reason: textIn(content, "reason"),
		message: textIn(content, "note"),
		count: typeof count === "number" ? count : 1,
		firstTime: seconds(first),
		lastTime: seconds(textIn(series, "lastObservedTime") || first),
	};
}

/** In whole seconds, as the admin API has it. */
function seconds(time: string): string {
	const ms = Date.parse(time);
	return Number.isNaN(ms) ? "" : printTime(ms);
}

function recordIn(value: Content, name: string): Content {
	const found = value[name];
	return isRecord(found) ? found : {};
}

function textIn(value: Content, name: string): string {
	const found = value[name];
	return typeof found === "string" ? found : "";
}

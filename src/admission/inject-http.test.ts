import { expect } from "chai";
import fc from "fast-check";
import {
	admissionRequest,
	admissionReview,
} from "../../test/testkit/admission-request.ts";
import { injectContext } from "../../test/testkit/inject-context.ts";
import { recordingLogger } from "../../test/testkit/recording-logger.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { isRecord } from "../api/fields.ts";
import type { HttpHandler } from "../lib/handler.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { type InjectionContexts, injectionApi } from "./inject-http.ts";

const pod = {
	apiVersion: "v1",
	kind: "Pod",
	metadata: { generateName: "web-" },
	spec: { containers: [{ name: "web", image: "web" }] },
};

/** The webhook, and everything it logs. */
function webhook(
	contexts: InjectionContexts = (namespace) => injectContext({}, { namespace }),
): { readonly api: HttpHandler; readonly logged: readonly unknown[] } {
	const logged: unknown[] = [];
	const parts = {
		clock: new TestClock(),
		logger: recordingLogger(logged),
		metrics: new MetricsRegistry(),
	};
	return { api: injectionApi({ contexts, ...parts }), logged };
}

async function ask(
	request: Readonly<Record<string, unknown>>,
	api = webhook().api,
): Promise<{
	readonly status: number;
	readonly response: Readonly<Record<string, unknown>>;
}> {
	const answer = await api(
		admissionRequest("/mutate", admissionReview(request)),
		new AbortController().signal,
	);
	if (answer.status !== 200) return { status: answer.status, response: {} };
	const review: unknown = JSON.parse(String(answer.body));
	const response = isRecord(review) ? review["response"] : undefined;
	return { status: 200, response: isRecord(response) ? response : {} };
}

describe("the mutating webhook", () => {
	it("answers with a patch of the pod", async () => {
		const { response } = await ask({ object: pod });
		expect(response).to.include({
			uid: "u-1",
			allowed: true,
			patchType: "JSONPatch",
		});
		const patch = JSON.parse(
			Buffer.from(String(response["patch"]), "base64").toString(),
		);
		expect(patch.map(({ path }: { path: string }) => path)).to.include(
			"/spec/initContainers",
		);
	});

	it("has nothing to change of a pod that does not want to be injected", async () => {
		const { response } = await ask({
			object: {
				...pod,
				metadata: { labels: { "lateen.dev/inject": "false" } },
			},
		});
		expect(response).to.deep.equal({ uid: "u-1", allowed: true });
	});

	for (const [what, request] of [
		["another kind", { object: { ...pod, kind: "Service" } }],
		["an update", { object: pod, operation: "UPDATE", oldObject: pod }],
		["a binding of a pod", { object: pod, subResource: "binding" }],
		["a deletion", { object: null, operation: "DELETE", oldObject: pod }],
	] as const)
		it(`lets ${what} through as it is`, async () => {
			const { response } = await ask(request);
			expect(response).to.deep.equal({ uid: "u-1", allowed: true });
		});

	it("goes by the namespace of the request, as the pod's may be missing", async () => {
		const { response } = await ask({ object: pod, namespace: "kube-system" });
		expect(String(response["warnings"])).to.include("kube-system");
	});

	it("answers 503 before the Mesh was read, so that the API server does what is registered", async () => {
		const { status } = await ask({ object: pod }, webhook(() => undefined).api);
		expect(status).to.equal(503);
	});

	it("answers something to whatever it is sent, and logs nothing of it", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.jsonValue(),
				fc.jsonValue(),
				async (metadata, spec) => {
					const { api, logged } = webhook();
					const { status } = await ask(
						{ object: { ...pod, metadata, spec } },
						api,
					);
					expect(status).to.equal(200);
					expect(logged).to.deep.equal([]);
				},
			),
		);
		const { api, logged } = webhook();
		const annotations = { "lateen.dev/stop-delay": "swordfish" };
		await ask({ object: { ...pod, metadata: { annotations } } }, api);
		expect(logged).to.not.be.empty;
		expect(JSON.stringify(logged)).to.not.include("swordfish");
	});
});

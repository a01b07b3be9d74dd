import { expect } from "chai";
import {
	apiCertificate,
	authorityCertificate,
	strangersCertificate,
} from "../../test/testkit/certificates.ts";
import { eventually } from "../../test/testkit/eventually.ts";
import { FastClock } from "../../test/testkit/fast-clock.ts";
import { scriptedAccess } from "../../test/testkit/scripted-access.ts";
import {
	ScriptedApiServer,
	type ScriptedOptions,
} from "../../test/testkit/scripted-api-server.ts";
import { systemClock } from "../lib/system-clock.ts";
import type { KubeConnection, KubeRequest } from "./connection.ts";
import type { Credentials, KubeAccess } from "./kube-access.ts";
import { KubeError } from "./kube-error.ts";
import { openConnection } from "./open-connection.ts";

const never = new AbortController().signal;
const pods: KubeRequest = { method: "GET", path: "/api/v1/pods" };
const secret = "eyJhbGciOiJSUzI1NiIsImtpZCI6InNlY3JldCJ9";

function credentials(fields: Partial<Credentials> = {}): Credentials {
	return {
		ca: undefined,
		authorization: undefined,
		certificate: undefined,
		...fields,
	};
}

interface Opened extends AsyncDisposable {
	readonly server: ScriptedApiServer;
	readonly connection: KubeConnection;
}

async function open(
	options: ScriptedOptions = {},
	access: Partial<KubeAccess> = {},
	clock = systemClock,
): Promise<Opened> {
	const server = await ScriptedApiServer.start(options);
	const connection = openConnection(
		{ ...scriptedAccess(server), ...access },
		{ clock, userAgent: "lateen/test" },
	);
	return {
		server,
		connection,
		async [Symbol.asyncDispose]() {
			await connection[Symbol.asyncDispose]();
			await server[Symbol.asyncDispose]();
		},
	};
}

async function status(
	connection: KubeConnection,
	request = pods,
): Promise<number> {
	const answer = await connection.request(request, never);
	await answer.text();
	return answer.status;
}

/** The error of a request, with all that a log would say of it. */
async function failure(
	connection: KubeConnection,
	request = pods,
): Promise<KubeError> {
	try {
		await status(connection, request);
	} catch (error) {
		expect(error).to.be.instanceOf(KubeError);
		expect(JSON.stringify(error) + String(error)).to.not.include(secret);
		return error as KubeError;
	}
	throw new Error("the request did not fail");
}

const tls = apiCertificate();
const known = { serverName: "api.example.com" };

describe("openConnection", () => {
	it("sends method, path, query, body and who we are", async () => {
		await using opened = await open(
			{},
			{
				headers: { "impersonate-user": "jane" },
				load: async () => credentials({ authorization: "Bearer abc" }),
			},
		);
		await status(opened.connection, {
			method: "PATCH",
			path: "/api/v1/namespaces/a/pods/b",
			query: { fieldManager: "lateen status", force: "true" },
			contentType: "application/apply-patch+yaml",
			body: '{"é":1}',
		});
		const [seen] = opened.server.requests;
		expect(seen).to.deep.include({
			method: "PATCH",
			path: "/api/v1/namespaces/a/pods/b",
			query: { fieldManager: "lateen status", force: "true" },
			body: '{"é":1}',
		});
		expect(seen?.headers).to.include({
			authorization: "Bearer abc",
			"user-agent": "lateen/test",
			"content-type": "application/apply-patch+yaml",
			"impersonate-user": "jane",
		});
	});

	it("answers whatever the status is", async () => {
		await using opened = await open();
		opened.server.fault({ fault: { status: 418, message: "tea" } });
		const answer = await opened.connection.request(pods, never);
		expect(answer.status).to.equal(418);
		expect(await answer.text()).to.include("tea");
	});

	it("holds the server's certificate against the CA", async () => {
		const load = async () => credentials({ ca: authorityCertificate() });
		await using opened = await open({ tls }, { ...known, load });
		expect(await status(opened.connection)).to.equal(200);
	});

	it("refuses a server whose certificate is signed by a stranger, or is for another name", async () => {
		const stranger = async () => credentials({ ca: strangersCertificate() });
		await using first = await open({ tls }, { ...known, load: stranger });
		const untrusted = await failure(first.connection);
		expect(untrusted.code).to.equal("KUBE_UNREACHABLE");
		expect(untrusted.message).to.include("not signed by the CA");
		const load = async () => credentials({ ca: authorityCertificate() });
		await using second = await open({ tls }, { load });
		expect((await failure(second.connection)).message).to.include(
			"its certificate is for other names",
		);
	});

	it("does not look at the certificate when told so", async () => {
		await using opened = await open({ tls }, { insecure: true });
		expect(await status(opened.connection)).to.equal(200);
	});

	it("shows its own certificate", async () => {
		const asks = { tls: { ...tls, clientCa: authorityCertificate() } };
		const ca = authorityCertificate();
		let certificate: Credentials["certificate"];
		const load = async () => credentials({ ca, certificate });
		await using opened = await open(asks, { ...known, load });
		await failure(opened.connection);
		// From now on it has one, and makes a new connection for it.
		certificate = tls;
		expect(await status(opened.connection)).to.equal(200);
	});

	it("uses the credentials of the moment", async () => {
		let token = "one";
		const load = async () => credentials({ authorization: `Bearer ${token}` });
		await using opened = await open({ tokens: ["one"] }, { load });
		expect(await status(opened.connection)).to.equal(200);
		opened.server.accept("two");
		token = "two";
		expect(await status(opened.connection)).to.equal(200);
		expect(opened.server.requests).to.have.length(2);
	});

	it("asks once more with fresh credentials after a 401", async () => {
		const refusals: (string | undefined)[] = [];
		const load = async (refused?: Credentials) => {
			refusals.push(refused?.authorization);
			const token = refused === undefined ? "old" : "new";
			return credentials({ authorization: `Bearer ${token}` });
		};
		await using opened = await open({ tokens: ["new"] }, { load });
		const answer = await opened.connection.request(
			{ ...pods, method: "POST", body: "{}" },
			never,
		);
		expect(answer.status).to.equal(404);
		expect(refusals).to.deep.equal([undefined, "Bearer old"]);
		expect(opened.server.requests.map(({ body }) => body)).to.deep.equal([
			"{}",
			"{}",
		]);
	});

	it("does not ask again when the credentials are still the same", async () => {
		const load = async () => credentials({ authorization: "Bearer old" });
		await using opened = await open({ tokens: ["new"] }, { load });
		expect(await status(opened.connection)).to.equal(401);
		expect(opened.server.requests).to.have.length(1);
	});

	it("keeps its connections, and survives that the server closes them", async () => {
		await using opened = await open();
		await status(opened.connection);
		await opened.server.stop();
		await opened.server.listen();
		expect(await status(opened.connection)).to.equal(200);
	});

	it("does not send a POST twice", async () => {
		await using opened = await open();
		opened.server.fault({ what: "POST", fault: "cut" });
		await status(opened.connection);
		const error = await failure(opened.connection, {
			method: "POST",
			path: "/api/v1/pods",
			body: "{}",
		});
		expect(error.code).to.equal("KUBE_UNREACHABLE");
		const posts = opened.server.requests.filter((one) => one.what === "POST");
		expect(posts).to.have.length(1);
	});

	it("says that nobody listens", async () => {
		await using opened = await open(
			{},
			{ load: async () => credentials({ authorization: `Bearer ${secret}` }) },
		);
		await opened.server.stop();
		const error = await failure(opened.connection);
		expect(error).to.include({ code: "KUBE_UNREACHABLE", retryable: true });
		expect(error.message).to.include(opened.server.url);
		expect(error.message).to.include("nobody listens there");
	});

	it("says that the server takes requests and does not answer, and lets go of it", async () => {
		await using opened = await open({}, {}, new FastClock(500));
		opened.server.fault({ fault: "mute" });
		const error = await failure(opened.connection);
		expect(error.code).to.equal("KUBE_SILENT");
		expect(error.message).to.include("silent for 30 s on GET /api/v1/pods");
		expect(await status(opened.connection)).to.equal(200);
	});

	it("ends a body that is silent for too long, and no other", async () => {
		await using opened = await open({}, {}, new FastClock(1000));
		opened.server.fault({ fault: "silent" });
		const error = await failure(opened.connection, {
			...pods,
			silenceMs: 60_000,
		});
		expect(error.code).to.equal("KUBE_SILENT");
	});

	it("says that a body broke off", async () => {
		await using opened = await open();
		const answer = await opened.connection.request(
			{ ...pods, query: { watch: "true" } },
			never,
		);
		opened.server.cutWatches();
		const error = await answer.text().catch((error: unknown) => error);
		expect(error).to.include({ code: "KUBE_UNREACHABLE" });
	});

	it("ends a request, and a body, when told to", async () => {
		await using opened = await open();
		opened.server.fault({ fault: "mute" });
		const reason = new Error("enough");
		const stopping = new AbortController();
		const asked = opened.connection.request(pods, stopping.signal);
		await eventually(() => expect(opened.server.requests).to.have.length(1));
		stopping.abort(reason);
		expect(await asked.catch((error: unknown) => error)).to.equal(reason);

		const again = new AbortController();
		const answer = await opened.connection.request(
			{ ...pods, query: { watch: "true" } },
			again.signal,
		);
		const text = answer.text();
		again.abort(reason);
		expect(await text.catch((error: unknown) => error)).to.equal(reason);
		await eventually(() => expect(opened.server.watching).to.equal(0));
	});
});

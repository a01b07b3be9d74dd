import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
	createServer,
	request as httpRequest,
	type IncomingMessage,
	type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import type { Page } from "../../samples/bookinfo/apps/page.ts";

const APPS = join(import.meta.dirname, "../../samples/bookinfo/apps");

describe("bookinfo programs", () => {
	const running: ChildProcess[] = [];
	/** Where the proxy sends each host; what is missing answers 503. */
	const ports = new Map<string, number>();
	/** Requests that went through the proxy, as `host header`. */
	const seen: IncomingMessage[] = [];
	let proxy: Server;
	let productpage = "";

	before(async () => {
		proxy = createServer((request, response) => {
			seen.push(request);
			const { hostname, pathname } = new URL(request.url ?? "");
			const port = ports.get(hostname);
			if (port === undefined) {
				response.writeHead(503).end("no healthy upstream");
				return;
			}
			const { headers } = request;
			httpRequest(
				{ port, host: "127.0.0.1", path: pathname, headers },
				(answer) => {
					response.writeHead(answer.statusCode ?? 502, answer.headers);
					answer.pipe(response);
				},
			).end();
		});
		proxy.listen(0, "127.0.0.1");
		await once(proxy, "listening");
		const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
		const start = async (app: string, version: string): Promise<number> => {
			const child = spawn(
				process.execPath,
				[
					join(APPS, `${app}.ts`),
					...["--listen", "127.0.0.1:0", "--proxy", proxyUrl],
					...["--version", version, "--pod", `${app}-${version}`],
				],
				{ stdio: ["ignore", "pipe", "inherit"] },
			);
			running.push(child);
			return await new Promise<number>((resolve, reject) => {
				child.on("exit", () => reject(new Error(`${app} ended.`)));
				child.stdout.setEncoding("utf8").on("data", (text: string) => {
					const port = /listening on .*:(\d+)/.exec(text)?.[1];
					if (port !== undefined) resolve(Number(port));
				});
			});
		};
		const [details, ratings, v1, v2, v3, page] = await Promise.all([
			start("details", "v1"),
			start("ratings", "v1"),
			start("reviews", "v1"),
			start("reviews", "v2"),
			start("reviews", "v3"),
			start("productpage", "v1"),
		]);
		productpage = `http://127.0.0.1:${page}`;
		for (const [name, port] of Object.entries({ details, ratings, v1, v2, v3 }))
			ports.set(name, port);
	});

	beforeEach(() => {
		ports.set("reviews", ports.get("v2") ?? 0);
		seen.length = 0;
	});

	after(() => {
		for (const child of running) child.kill();
		proxy.close();
		proxy.closeAllConnections();
	});

	async function readPage(headers: Record<string, string> = {}): Promise<Page> {
		const response = await fetch(`${productpage}/api/page`, { headers });
		return (await response.json()) as Page;
	}

	const versions = [
		{ version: "v1", color: undefined, stars: undefined },
		{ version: "v2", color: "black", stars: 5 },
		{ version: "v3", color: "red", stars: 5 },
	] as const;
	for (const { version, color, stars } of versions) {
		it(`show ${color ?? "no"} stars when reviews ${version} answers`, async () => {
			ports.set("reviews", ports.get(version) ?? 0);
			const { reviews } = await readPage();
			expect(reviews).to.include({ available: true, version });
			if (!reviews.available) return;
			expect(reviews.reviews[0]?.stars).to.equal(stars);
			expect(reviews.ratings?.available && reviews.ratings.color).to.equal(
				color,
			);
		});
	}

	it("call each other through the proxy, by the names of the services", async () => {
		await readPage();
		expect(seen.map(({ url }) => url)).to.have.members([
			"http://details:9080/details/0",
			"http://reviews:9080/reviews/0",
			"http://ratings:9080/ratings/0",
		]);
		expect(seen.map(({ headers }) => headers.host)).to.have.members([
			"details:9080",
			"reviews:9080",
			"ratings:9080",
		]);
	});

	it("pass on tracing headers and the user to every service", async () => {
		await readPage({
			traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			"x-request-id": "7",
			cookie: "other=1; user=jason",
		});
		expect(seen).to.have.length(3);
		for (const { headers } of seen) {
			expect(headers).to.include({ "x-request-id": "7", "end-user": "jason" });
			expect(headers["traceparent"]).to.match(/^00-4bf9/);
		}
	});

	it("do without ratings when those do not answer, and say so", async () => {
		const port = ports.get("ratings") ?? 0;
		ports.delete("ratings");
		const html = await (await fetch(productpage)).text();
		ports.set("ratings", port);
		expect(html).to.contain("Ratings are currently unavailable");
		expect(html).to.contain("I read it aloud on watch");
		expect(html).to.contain("no healthy upstream");
	});

	it("do without reviews when those do not answer, and say so", async () => {
		ports.delete("reviews");
		const html = await (await fetch(productpage)).text();
		expect(html).to.contain("Reviews are currently unavailable");
		expect(html).to.contain("Joshua Slocum");
	});

	it("log people in and out by a cookie, and show their name harmlessly", async () => {
		const login = await fetch(`${productpage}/login`, {
			method: "POST",
			body: new URLSearchParams({ user: "<b>jason" }),
			redirect: "manual",
		});
		expect(login.status).to.equal(303);
		const cookie = login.headers.get("set-cookie")?.split(";")[0] ?? "";
		const html = await (
			await fetch(productpage, { headers: { cookie } })
		).text();
		expect(html).to.contain("Aboard as <strong>bjason</strong>");
		const logout = await fetch(`${productpage}/logout`, {
			method: "POST",
			redirect: "manual",
		});
		expect(logout.headers.get("set-cookie")).to.contain("Max-Age=0");
	});
});

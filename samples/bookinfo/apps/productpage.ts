/**
 * The page that people open: details and reviews of one book, a login, and who
 * answered.
 *
 *   GET /            the page
 *   GET /api/page    the same as JSON
 *   POST /login      user=NAME (no password: this is a sample)
 *   POST /logout
 */
import { type AppRequest, CallFailed, runApp } from "./app.ts";
import type { Details } from "./details.ts";
import type { Answer, Page } from "./page.ts";
import { printPage } from "./print-page.ts";
import type { Reviews } from "./reviews.ts";

if (import.meta.main) {
	runApp(async (request, self) => {
		const { pathname } = new URL(request.path, "http://productpage");
		switch (pathname) {
			case "/":
			case "/productpage":
				return { body: printPage({ ...self, ...(await readPage(request)) }) };
			case "/api/page":
				return { body: { ...self, ...(await readPage(request)) } };
			case "/login":
			case "/logout": {
				const user =
					pathname === "/login" && request.method === "POST"
						? (new URLSearchParams(request.body).get("user") ?? "")
						: "";
				return {
					status: 303,
					headers: {
						location: "/",
						"set-cookie": `user=${encodeURIComponent(user.trim())}; Path=/; HttpOnly; SameSite=Lax${user === "" ? "; Max-Age=0" : ""}`,
					},
				};
			}
			default:
				return { status: 404, body: { error: "There is only /." } };
		}
	});
}

async function readPage({
	headers,
	call,
}: AppRequest): Promise<Omit<Page, "version" | "pod">> {
	const user = cookie(headers["cookie"] ?? "", "user").replaceAll(
		/[^\w.@ -]/g,
		"",
	);
	const ask = async <T>(url: string): Promise<Answer<T>> => {
		try {
			const said = (await call(
				url,
				user === "" ? {} : { "end-user": user },
			)) as T;
			return { available: true, ...said };
		} catch (error) {
			if (!(error instanceof CallFailed)) throw error;
			return { available: false, reason: error.message };
		}
	};
	const [details, reviews] = await Promise.all([
		ask<Details>("http://details:9080/details/0"),
		ask<Reviews>("http://reviews:9080/reviews/0"),
	]);
	return { user, details, reviews };
}

function cookie(header: string, name: string): string {
	for (const pair of header.split(";")) {
		const [key, value = ""] = pair.trim().split("=", 2);
		if (key !== name) continue;
		try {
			return decodeURIComponent(value);
		} catch {
			return ""; // Written by somebody else: as good as none.
		}
	}
	return "";
}

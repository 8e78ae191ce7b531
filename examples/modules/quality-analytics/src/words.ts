const WORDS = {
  en: { title: "Defective pieces", mean: "Mean", review: "Have this day reviewed", sent: "A review was asked for." },
  ko: { title: "불량률", mean: "평균", review: "이 날짜 검토 요청", sent: "검토를 요청했습니다." },
};

/** The page's words in the language of whoever reads it; English for every other. */
export function words(language: string) {
  return language.startsWith("ko") ? WORDS.ko : WORDS.en;
}
